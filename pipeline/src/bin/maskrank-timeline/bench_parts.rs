//! `bench --parts`: two parts of a request alone.
//!
//! The features of exactly 1,500 candidates, which are the candidates of real requests of several viewers; and the search
//! for posts by communities at several limits, each against the search without limits over the same index, which is
//! exact. Times are processor time of the thread that works where the system says it, because they are then the same on
//! a machine that does other things too; the filling of features uses more than one thread, so its time
//! is the clock's, and its processor time that of the process.

use std::io::Write;
use std::path::Path;
use std::time::Instant;

use maskrank_pipeline::config::CommunitySearchConfig;
use maskrank_pipeline::domain::{FeatureBatch, ModelInputs, RequestFacts, UserId};
use maskrank_pipeline::features::FeaturePlan;
use maskrank_pipeline::sources::nearest;
use tokio::runtime::Runtime;

use crate::Outcome;
use crate::bench::cpu_seconds;
use crate::setup::Timeline;

/// Candidates whose features are filled.
const CANDIDATES: usize = 1_500;
/// How often.
const FILLS: usize = 200;
/// Queries of the search.
const QUERIES: usize = 300;
/// Most posts that are summed of a community.
const LIMITS: [usize; 8] = [250, 500, 1_000, 2_000, 4_000, 8_000, 16_000, usize::MAX];

/// Measures both parts and writes the search's figures to a file too, when one is named.
pub(crate) fn run(
    out: &mut impl Write,
    runtime: &Runtime,
    timeline: &Timeline,
    viewers: &[UserId],
    csv: Option<&Path>,
) -> Outcome {
    hydration(out, runtime, timeline, viewers)?;
    let table = retrieval(timeline, viewers);
    writeln!(out, "\nposts by communities, against the search without limits\n{table}")?;
    if let Some(path) = csv {
        std::fs::write(path, table).map_err(|error| format!("cannot write {}: {error}", path.display()))?;
    }
    Ok(())
}

fn hydration(out: &mut impl Write, runtime: &Runtime, timeline: &Timeline, viewers: &[UserId]) -> Outcome {
    let world = &timeline.world;
    let inputs = ModelInputs::PRODUCTION;
    let once = timeline.registry.request_columns(inputs);
    let (embeddings, clock) = (world.stores.embeddings.clone(), world.clock.clone());
    let plan = FeaturePlan::new(timeline.registry.clone(), inputs, &once, embeddings, clock)?;
    let mut queries = Vec::new();
    let mut candidates = Vec::new();
    let mut known = std::collections::HashSet::new();
    for viewer in viewers {
        let scored = timeline.home.for_you().scored(*viewer, RequestFacts::default());
        let Ok((query, found)) = runtime.block_on(scored) else { continue };
        queries.push(query);
        candidates.extend(found.into_iter().filter(|candidate| known.insert(candidate.post_id)));
        if candidates.len() >= CANDIDATES && queries.len() >= 8 {
            break;
        }
    }
    candidates.truncate(CANDIDATES);
    let mut batch = FeatureBatch::default();
    let mut took = Vec::new();
    let before = cpu_seconds();
    for round in 0..FILLS {
        let Some(query) = queries.get(round % queries.len().max(1)) else { break };
        let begun = Instant::now();
        plan.fill(query, &candidates, &mut batch);
        // The first of each viewer finds cold memory, as a request does.
        took.push(begun.elapsed());
    }
    let spent = cpu_seconds().zip(before).map(|(after, before)| (after - before) * 1e3 / FILLS as f64);
    took.sort_unstable();
    let at = |share: f64| {
        let place = (share * took.len().saturating_sub(1) as f64).round() as usize;
        took.get(place).map_or(0.0, |time| time.as_secs_f64() * 1e3)
    };
    let (p50, p99, best) = (at(0.5), at(0.99), at(0.0));
    let count = candidates.len();
    writeln!(out, "features of {count} candidates: p50 {p50:.2} ms, p99 {p99:.2} ms, least {best:.2} ms")?;
    if let Some(spent) = spent {
        writeln!(out, "  {spent:.2} ms of processor time, of all threads together")?;
    }
    Ok(())
}

fn retrieval(timeline: &Timeline, viewers: &[UserId]) -> String {
    let stores = &timeline.world.stores;
    let now = timeline.world.clock.now();
    let communities = |viewer: &UserId| stores.embeddings.user_communities(*viewer);
    let queries: Vec<_> = viewers.iter().filter_map(communities).take(QUERIES).collect();
    let (users, posts) = timeline.world.embedded.sizes();
    let stated = CommunitySearchConfig::default();
    let search = |limit: usize| {
        let config = CommunitySearchConfig { max_posts_per_community: limit, ..stated.clone() };
        let begun = (Instant::now(), thread_seconds());
        let found: Vec<_> =
            queries.iter().map(|query| nearest(&*stores.retrieval, &config, now, query)).collect();
        let wall = begun.0.elapsed().as_secs_f64();
        let spent = thread_seconds().zip(begun.1).map_or(wall, |(after, before)| after - before);
        (found, spent * 1e6 / queries.len().max(1) as f64)
    };
    let (exact, _) = search(usize::MAX);
    let mut table =
        "users,posts,queries,max_communities,max_posts_per_community,recall_at_100,us_per_query\n".to_owned();
    for limit in LIMITS {
        let (found, micros) = search(limit);
        let (mut hits, mut wanted) = (0, 0);
        for (found, exact) in found.iter().zip(&exact) {
            let Some((_, least)) = exact.get(99).or(exact.last()) else { continue };
            // Equal cosines stand for each other; sums in another order differ by some roundings.
            let good = |entry: &&(_, f32)| entry.1 + 16.0 * f32::EPSILON >= *least;
            hits += found.iter().take(100).filter(good).count();
            wanted += exact.len().min(100);
        }
        let recall = hits as f64 / wanted.max(1) as f64;
        let name = if limit == usize::MAX { "none".to_owned() } else { limit.to_string() };
        let (count, most) = (queries.len(), stated.max_communities);
        table += &format!("{users},{posts},{count},{most},{name},{recall:.4},{micros:.1}\n");
    }
    table
}

/// Processor time of this thread in seconds, where the system says.
pub(crate) fn thread_seconds() -> Option<f64> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    Some(text.split_whitespace().next()?.parse::<f64>().ok()? / 1e9)
}
