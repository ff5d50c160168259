//! The pill that says that there is something new.

use async_trait::async_trait;

use crate::component;
use crate::domain::{DeviceContext, Query};
use crate::engine::{Failure, Scope, Source};
use crate::mixing::{Item, Pill};

/// Gives the pill. Where the reader asked for new posts it comes at once.
pub struct NewPostsPill {
    /// After how many milliseconds it comes else.
    pub delay_ms: i64,
}

component!(NewPostsPill, "new_posts_pill", "the pill that says that there is something new");

#[async_trait]
impl Source<Query, Item> for NewPostsPill {
    async fn fetch(&self, query: &Query, _scope: Scope<'_, Item>) -> Result<Vec<Item>, Failure> {
        let is_asked =
            matches!(query.request.context, DeviceContext::ManualRefresh | DeviceContext::SelfThread);
        Ok(vec![Item::Pill(Pill { delay_ms: if is_asked { 0 } else { self.delay_ms } })])
    }
}
