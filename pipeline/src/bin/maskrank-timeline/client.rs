//! What a client says with its request.

use clap::Args;
use maskrank_pipeline::domain::{DeviceContext, Language, Platform, RequestFacts};
use serde::de::DeserializeOwned;
use serde_json::Value;

/// The client that asks.
#[derive(Clone, Debug, Args)]
pub(crate) struct ClientArguments {
    /// What the client runs on: web, android, ios or other
    #[arg(long, default_value = "web", value_parser = by_name::<Platform>)]
    platform: Platform,
    /// The device's language, as a tag such as de
    #[arg(long, default_value = "", value_name = "TAG", hide_default_value = true)]
    language: String,
    /// The country of the request, as a code such as fr
    #[arg(long, default_value = "", value_name = "CODE", hide_default_value = true)]
    country: String,
    /// What made the client ask: auto, foreground, gap, launch, manual_refresh, navigate, polling, pull_to_refresh, signup,
    /// self_thread or background_fetch
    #[arg(long, default_value = "launch", value_parser = by_name::<DeviceContext>)]
    context: DeviceContext,
}

impl ClientArguments {
    /// The facts of a first request of this client.
    pub(crate) fn facts(&self) -> RequestFacts {
        RequestFacts {
            platform: self.platform,
            language: Language::new(&self.language),
            country: self.country.to_ascii_lowercase(),
            context: self.context,
            ..RequestFacts::default()
        }
    }
}

/// A value by the name that JSON has for it.
fn by_name<T: DeserializeOwned>(name: &str) -> Result<T, String> {
    serde_json::from_value(Value::from(name)).map_err(|error| error.to_string())
}
