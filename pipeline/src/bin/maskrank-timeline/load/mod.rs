//! `bench --url`: drives a running service in an open loop.
//!
//! Requests are planned before the first is sent, and sent when planned whether or not earlier ones are answered; latency
//! counts from the planned moment. So a stall of the service, of the network or of this driver is paid for by every
//! request that it delays, and none is left out because another was slow.

mod arrivals;
mod client;
mod summary;

use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::{StreamExt, TryStreamExt};
use maskrank_pipeline::domain::{Clock, SystemClock, UserId};
use maskrank_pipeline::sealed::Key;
use maskrank_pipeline::service::Tokens;
use tokio::task::JoinHandle;

pub(crate) use arrivals::Arrivals;
use client::{Client, Reply};
use summary::{Sample, Summary};

use crate::Outcome;
use crate::random::Random;
use crate::serve::key_path;

/// How long the tokens of a run hold.
const LIFETIME: Duration = Duration::from_secs(24 * 3600);

#[derive(clap::Args)]
// Flattened beside another `Arguments`.
#[group(id = "load")]
pub(crate) struct Arguments {
    /// The running service, such as http://127.0.0.1:8600; the loop then is always open
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// Say so: with a URL the loop is always open
    #[arg(long, requires = "url")]
    open_loop: bool,
    /// Rates and how long to keep them, one after the other: 4:30,8:10,4:10 is 4/s for 30 s, 8/s for 10 s, 4/s for 10 s
    #[arg(long, requires = "url", value_delimiter = ',', value_name = "RATE:SECONDS")]
    steps: Vec<Step>,
    /// How requests arrive
    #[arg(long, requires = "url", value_enum, default_value_t = Arrivals::Poisson)]
    arrivals: Arrivals,
    /// Which timeline: for_you, following, subscribed, lists/ID
    #[arg(long, requires = "url", default_value = "for_you", value_name = "PATH")]
    timeline: String,
    /// Viewers 1 to N, but for withdrawn ones, ask in random order
    #[arg(long, requires = "url", default_value_t = 1000, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    viewers: u64,
    /// The service's key, to make the viewers' tokens with; without it that of the world's folder
    #[arg(long, requires = "url", value_name = "FILE")]
    key: Option<PathBuf>,
    /// A request that is not answered within so many seconds has failed
    #[arg(long, requires = "url", default_value_t = 30, value_name = "S")]
    patience: u64,
    /// Append what came of each step to this file, too
    #[arg(long, requires = "url", value_name = "FILE")]
    csv: Option<PathBuf>,
    /// What to call the run in that file, such as the model's precision
    #[arg(long, requires = "csv", default_value = "", value_name = "TEXT", value_parser = label)]
    label: String,
}

/// A cell of a file of comma-separated values, as it stands.
fn label(text: &str) -> Result<String, String> {
    match text.contains([',', '"', '\n', '\r']) {
        true => Err("expected no comma, quote or line break".to_owned()),
        false => Ok(text.to_owned()),
    }
}

/// A rate and how long it is kept.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Step {
    pub(crate) rate: f64,
    pub(crate) seconds: f64,
}

impl std::str::FromStr for Step {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let numbers =
            text.split_once(':').map(|(rate, seconds)| (rate.parse::<f64>(), seconds.parse::<f64>()));
        match numbers {
            Some((Ok(rate), Ok(seconds))) if rate > 0.0 && rate <= 1e6 && seconds > 0.0 && seconds <= 1e5 => {
                Ok(Self { rate, seconds })
            }
            _ => Err(format!("{text:?}: expected RATE:SECONDS, both above 0")),
        }
    }
}

impl Arguments {
    /// Whether a running service is to be driven.
    pub(crate) fn is_asked_for(&self) -> bool {
        self.url.is_some()
    }

    /// Drives the service.
    pub(crate) fn run(&self, seed: u64, world: Option<&std::path::Path>) -> Outcome {
        let url = self.url.as_deref().ok_or("expected --url")?;
        if self.steps.is_empty() {
            return Err("expected --steps RATE:SECONDS".into());
        }
        let path = key_path(self.key.as_deref(), world);
        if !path.exists() {
            return Err(
                format!("{}: there is no key; the service makes it when it starts", path.display()).into()
            );
        }
        let tokens = Tokens::new(Key::open_or_create(&path)?);
        let now = SystemClock::default().now();
        let tokens: Vec<String> =
            (1..=self.viewers).map(|viewer| tokens.mint(UserId(viewer), now, LIFETIME)).collect();
        let client = Client::new(url, &self.timeline, Duration::from_secs(self.patience));
        let client = Arc::new(client.map_err(|error| error.to_string())?);
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        let tokens = runtime.block_on(readers(&client, tokens)).map_err(|error| error.to_string())?;
        if tokens.is_empty() {
            return Err("none of the viewers may read".into());
        }
        let mut out = std::io::stdout().lock();
        writeln!(out, "{url} {}: {} arrivals, seed {seed}", self.timeline, self.arrivals.name())?;
        summary::head(&mut out)?;
        let summaries = runtime.block_on(self.drive_steps(&client, &tokens, seed));
        for summary in &summaries {
            summary::line(&mut out, summary)?;
        }
        if let Some(path) = &self.csv {
            let labels = [
                ("label", self.label.clone()),
                ("timeline", self.timeline.clone()),
                ("arrivals", self.arrivals.name().to_owned()),
            ];
            summary::append(path, &labels, &summaries)?;
        }
        Ok(())
    }

    /// Drives one step after the other, without a pause between them: what one left behind is met by the next.
    async fn drive_steps(&self, client: &Arc<Client>, tokens: &Arc<[String]>, seed: u64) -> Vec<Summary> {
        let mut start = Instant::now();
        let mut under_way = Vec::with_capacity(self.steps.len());
        for (number, &step) in self.steps.iter().enumerate() {
            let seed = seed.wrapping_add(number as u64);
            let plan = self.arrivals.plan(step, &mut Random(seed));
            under_way.push(drive(client, tokens, start, plan, Random(seed ^ 0xA5A5)).await);
            start += Duration::from_secs_f64(step.seconds);
            tokio::time::sleep_until(start.into()).await;
        }
        let mut summaries: Vec<Summary> = Vec::with_capacity(under_way.len());
        for (&step, tasks) in self.steps.iter().zip(under_way) {
            let mut samples = Vec::with_capacity(tasks.len());
            for task in tasks {
                let lost = Sample { reply: Reply::Failed, ..Sample::default() };
                samples.push(task.await.unwrap_or(lost));
            }
            summaries.push(Summary::of(step, &samples, &summaries));
        }
        summaries
    }
}

/// How many viewers are looked up at once.
const LOOK_UPS: usize = 16;

/// The tokens whose accounts may read, found out before anything is measured.
async fn readers(
    client: &Client,
    tokens: Vec<String>,
) -> Result<Arc<[String]>, Box<dyn std::error::Error + Send + Sync>> {
    let asked = futures_util::stream::iter(tokens)
        .map(async |token| client.may_read(&token).await.map(|may| may.then_some(token)))
        .buffered(LOOK_UPS);
    let answers: Vec<Option<String>> = asked.try_collect().await?;
    Ok(answers.into_iter().flatten().collect())
}

/// Sends a step's requests at the planned moments, until the step is over.
async fn drive(
    client: &Arc<Client>,
    tokens: &Arc<[String]>,
    start: Instant,
    plan: Vec<Duration>,
    mut random: Random,
) -> Vec<JoinHandle<Sample>> {
    let mut under_way = Vec::with_capacity(plan.len());
    for after in plan {
        let planned = start + after;
        tokio::time::sleep_until(planned.into()).await;
        let (client, tokens) = (Arc::clone(client), Arc::clone(tokens));
        let viewer = usize::try_from(random.next() % tokens.len() as u64).unwrap_or(0);
        under_way.push(tokio::spawn(async move {
            let sent = planned.elapsed();
            let (reply, arrived) = client.ask(&tokens[viewer]).await;
            Sample { planned: after, sent_late: sent, latency: arrived.duration_since(planned), reply }
        }));
    }
    under_way
}
