//! Messages to the reader.

use std::sync::Arc;

use async_trait::async_trait;

use crate::component;
use crate::domain::Query;
use crate::engine::{Failure, Scope, Source};
use crate::mixing::{Item, PromptText};

/// Gives the first message for this timeline that its reader has not dismissed.
pub struct Prompts {
    messages: Vec<Arc<PromptText>>,
}

component!(Prompts, "prompts", "the first message for this timeline that its reader has not dismissed");

impl Prompts {
    /// These messages, in this order of precedence.
    pub fn new(messages: &[PromptText]) -> Self {
        Self { messages: messages.iter().cloned().map(Arc::new).collect() }
    }
}

#[async_trait]
impl Source<Query, Item> for Prompts {
    async fn fetch(&self, query: &Query, _scope: Scope<'_, Item>) -> Result<Vec<Item>, Failure> {
        let dismissals = query.facts.dismissals.get().map_or(&[][..], |dismissals| dismissals);
        let is_dismissed = |message: &PromptText| {
            dismissals
                .iter()
                .any(|dismissal| dismissal.module.strip_prefix("prompt-") == Some(message.id.as_str()))
        };
        let fits =
            |message: &&Arc<PromptText>| message.is_for(query.request.timeline) && !is_dismissed(message);
        Ok(self
            .messages
            .iter()
            .find(fits)
            .map(|message| Item::Prompt(Arc::clone(message)))
            .into_iter()
            .collect())
    }
}
