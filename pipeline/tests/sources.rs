//! Sources that find posts beyond the network, against twins that look at every row of the world.
#![cfg(feature = "stores")]

mod raw;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use maskrank_pipeline::config::{
    CommunitySearchConfig, ListsConfig, PipelineConfig, PopularVideosConfig, RecommendedAuthorsConfig,
    SecondDegreeConfig,
};
use maskrank_pipeline::domain::stores::{Relation, Stores};
use maskrank_pipeline::domain::{
    Candidate, Clock, EngagementKind, IdSet, ManualClock, Millis, Post, PostId, Query, RequestFacts,
    SparseEmbedding, SuggestKind, UserId,
};
use maskrank_pipeline::engine::{Engine, EngineConfig, Scope, Source};
use maskrank_pipeline::sources::{
    ListPosts, PopularVideos, RecommendedAuthors, SecondDegree, Similar, nearest, recommend_accounts,
};
use maskrank_pipeline::stores::{Embedded, StoreOptions};
use maskrank_pipeline::world::WorldConfig;
use raw::RawWorld;

const USERS: u64 = 600;
const DAY_MS: i64 = 86_400_000;

struct World {
    stores: Stores,
    clock: Arc<ManualClock>,
    raw: raw::RawFacts,
    events: Vec<maskrank_pipeline::domain::Engagement>,
}

fn world() -> World {
    let config = WorldConfig::sized(USERS as u32, 9_000);
    let clock = Arc::new(ManualClock::new(config.now));
    let RawWorld { loaded, events, facts } = RawWorld::generate(config);
    let stores = Embedded::in_memory(loaded.base, clock.clone(), StoreOptions::default()).expect("opens");
    World { stores: Arc::new(stores).stores(), clock, raw: facts, events }
}

impl World {
    /// A query that knows what sources read.
    fn query(&self, viewer: UserId) -> Query {
        let mut query = Query::new(viewer, self.clock.now(), RequestFacts::default());
        let stores = &self.stores;
        query.facts.following = stores.graph.targets(Relation::Follow, viewer).into();
        query.facts.blocking = stores.graph.targets(Relation::Block, viewer).into();
        query.facts.blocked_by = stores.graph.sources(Relation::Block, viewer).into();
        query.facts.muting = stores.graph.targets(Relation::Mute, viewer).into();
        query.facts.real_graph = Arc::new(stores.real_graph.strongest(viewer, 1_000)).into();
        query.facts.impressions = IdSet::default().into();
        query.facts.lists = Arc::<[_]>::from(stores.lists.of_user(viewer, 20)).into();
        query.facts.settings = stores.users.settings(viewer).expect("exists").into();
        query
    }

    async fn fetch(
        &self,
        source: &dyn Source<Query, Candidate>,
        query: &Query,
        quality: f64,
    ) -> Vec<Candidate> {
        let run = Engine::new(self.clock.clone(), EngineConfig::patient()).start();
        source.fetch(query, Scope { quality, earlier: &[], run: &run }).await.expect("finds")
    }

    fn now(&self) -> Millis {
        self.clock.now()
    }

    /// All posts, newest first.
    fn posts(&self) -> Vec<&Post> {
        let mut posts: Vec<&Post> = self.raw.posts.values().collect();
        posts.sort_by_key(|post| std::cmp::Reverse(post.id));
        posts
    }
}

fn viewers() -> impl Iterator<Item = UserId> {
    (1..=USERS).step_by(23).map(UserId)
}

#[tokio::test]
async fn second_degree_equals_a_count_over_all_engagements() {
    let world = world();
    let mut found = 0;
    for kinds in [vec![EngagementKind::Favorite], vec![EngagementKind::Favorite, EngagementKind::Reply]] {
        let config = SecondDegreeConfig {
            max_engagements: usize::MAX,
            max_fetched: usize::MAX,
            max_results: usize::MAX,
            kinds: kinds.clone(),
            ..SecondDegreeConfig::default()
        };
        let source = SecondDegree {
            engagements: Arc::clone(&world.stores.engagements),
            posts: Arc::clone(&world.stores.posts),
            config: config.clone(),
            light_ranker: PipelineConfig::default().fetch.in_network.light_ranker,
        };
        for viewer in viewers() {
            let query = world.query(viewer);
            let following = world.stores.graph.targets(Relation::Follow, viewer);
            let mut seeds = HashMap::<PostId, BTreeSet<(UserId, EngagementKind)>>::new();
            let mut own = HashSet::new();
            for event in world.events.iter().filter(|event| event.at.0 >= world.now().0 - DAY_MS) {
                if event.user == viewer {
                    own.insert(event.post);
                }
                let is_recent = event.post.made_at().0 >= world.now().0 - DAY_MS;
                let counts = following.contains(event.user) && !query.avoids(event.user);
                if counts && is_recent && kinds.contains(&event.kind) {
                    seeds.entry(event.post).or_default().insert((event.user, event.kind));
                }
            }
            let expected: BTreeSet<PostId> = seeds
                .iter()
                .filter(|(id, seeds)| {
                    let post = &world.raw.posts[id];
                    post.author != viewer
                        && !following.contains(post.author)
                        && !query.avoids(post.author)
                        && !own.contains(id)
                        && post.repost_of.is_none()
                        && seeds.iter().any(|(seed, _)| *seed != post.author)
                })
                .map(|(id, _)| *id)
                .collect();
            let got = world.fetch(&source, &query, 1.0).await;
            let ids: BTreeSet<PostId> = got.iter().map(|candidate| candidate.post_id).collect();
            assert_eq!(ids.len(), got.len(), "each post once");
            assert_eq!(ids, expected, "viewer {viewer}, {kinds:?}");
            assert!(got.windows(2).all(|pair| pair[0].light_score >= pair[1].light_score));
            assert!(got.iter().all(|candidate| candidate.suggest == SuggestKind::Activity));
            // The score above the light ranker's is the weighted count.
            for candidate in &got {
                let ties = query.facts.real_graph.get().expect("was set");
                let weight = |seed: &UserId| {
                    ties.by_user.get(seed).map_or(config.weight_without_tie, |tie| tie * 1.97 + 1.0)
                };
                let sum: f32 = seeds[&candidate.post_id].iter().map(|(seed, _)| weight(seed)).sum();
                let light = candidate.light_score - sum;
                assert!((-1e-3..=1.001).contains(&light), "viewer {viewer}: {light}");
            }
            found += got.len();
        }
    }
    assert!(found > 100, "{found}");
}

#[tokio::test]
async fn limits_follow_the_quality_factor() {
    let world = world();
    let fetch = PipelineConfig::default().fetch;
    let light_ranker = fetch.in_network.light_ranker.clone();
    let source = Similar {
        index: Arc::clone(&world.stores.retrieval),
        embeddings: Arc::clone(&world.stores.embeddings),
        engagements: Arc::clone(&world.stores.engagements),
        posts: Arc::clone(&world.stores.posts),
        config: fetch.similar.clone(),
        light_ranker,
    };
    let query = world.query(UserId(2));
    let all = world.fetch(&source, &query, 1.0).await;
    let half = world.fetch(&source, &query, 0.5).await;
    assert!(all.len() <= fetch.similar.max_results && half.len() <= fetch.similar.max_results / 2);
    let ids = |candidates: &[Candidate]| candidates.iter().map(|c| c.post_id).collect::<Vec<_>>();
    assert_eq!(ids(&half), ids(&all)[..half.len()]);
    for candidate in &all {
        let post = &world.raw.posts[&candidate.post_id];
        assert!(post.author != query.viewer && !query.follows(post.author) && post.in_reply_to.is_none());
        assert!(post.created_at.0 >= world.now().0 - DAY_MS);
    }
}

#[test]
fn community_search_is_exact_without_limits_and_close_to_it_with_them() {
    let world = world();
    let index = &*world.stores.retrieval;
    let exact = CommunitySearchConfig {
        max_communities: usize::MAX,
        max_posts_per_community: usize::MAX,
        max_age_ms: 2 * DAY_MS as u64,
    };
    let since = world.now().0 - exact.max_age_ms as i64;
    let limited = CommunitySearchConfig { max_age_ms: exact.max_age_ms, ..CommunitySearchConfig::default() };
    let (mut hits, mut wanted) = (0, 0);
    for viewer in viewers() {
        let query = world.stores.embeddings.user_communities(viewer).expect("has communities");
        let mut truth = BTreeMap::<PostId, f32>::new();
        for post in world.posts().into_iter().filter(|post| post.id >= PostId::at(Millis(since))) {
            let other: SparseEmbedding =
                world.stores.embeddings.post_communities(post.id).unwrap_or_default();
            let cosine = query.cosine(&other);
            if cosine > 0.0 {
                truth.insert(post.id, cosine);
            }
        }
        let got = nearest(index, &exact, world.now(), &query);
        assert_eq!(got.len(), truth.len(), "viewer {viewer}");
        for (post, cosine) in &got {
            // At most a few products, summed in another order.
            assert!((cosine - truth[post]).abs() <= 16.0 * f32::EPSILON, "viewer {viewer} post {post}");
        }
        let mut best: Vec<f32> = truth.values().copied().collect();
        best.sort_by(|a, b| b.total_cmp(a));
        best.truncate(100);
        let Some(least) = best.last() else { continue };
        let near = nearest(index, &limited, world.now(), &query);
        let good =
            near.iter().take(100).filter(|(post, _)| truth[post] >= least - 16.0 * f32::EPSILON).count();
        hits += good.min(best.len());
        wanted += best.len();
    }
    assert!(hits as f64 >= 0.95 * wanted as f64, "recall@100 is {hits} of {wanted}");
}

#[tokio::test]
async fn recommended_accounts_are_found_by_paths_that_a_plain_walk_finds() {
    let world = world();
    let fetch = PipelineConfig::default().fetch;
    let mut config = fetch.recommended_authors.clone();
    (config.accounts.similar, config.accounts.engaged, config.accounts.triangle) = (0.0, 0.0, 0.0);
    config.accounts.people_per_community = 0;
    let source = RecommendedAuthors {
        stores: world.stores.clone(),
        config: config.clone(),
        light_ranker: fetch.in_network.light_ranker.clone(),
    };
    for viewer in viewers() {
        let query = world.query(viewer);
        let follows = |from: UserId, to: UserId| world.raw.follows.contains(&(from, to));
        let mut expected = BTreeMap::<UserId, u32>::new();
        for (seed, user) in &world.raw.follows {
            if follows(viewer, *seed) {
                *expected.entry(*user).or_default() += 1;
            }
        }
        let shows = |user: &UserId| {
            let account = &world.raw.users[user].0;
            !account.is_protected && !account.is_withdrawn
        };
        expected.retain(|user, _| {
            *user != viewer && !follows(viewer, *user) && !query.avoids(*user) && shows(user)
        });
        let got = recommend_accounts(&world.stores, &config.accounts, &query, usize::MAX);
        // Accounts that the viewer engaged with are named too; without a weight they stand at the end.
        let by_path: BTreeSet<UserId> = got.iter().filter(|a| a.score > 0.0).map(|a| a.user).collect();
        assert_eq!(by_path, expected.keys().copied().collect(), "viewer {viewer}");
        assert!(got.windows(2).all(|pair| pair[0].score >= pair[1].score));
        let accounts: HashSet<UserId> =
            recommend_accounts(&world.stores, &config.accounts, &query, config.max_accounts)
                .into_iter()
                .map(|a| a.user)
                .collect();
        for candidate in world.fetch(&source, &query, 1.0).await {
            let post = &world.raw.posts[&candidate.post_id];
            assert!(
                accounts.contains(&post.author) && post.in_reply_to.is_none() && post.repost_of.is_none()
            );
        }
    }
}

#[tokio::test]
async fn list_posts_and_popular_videos_equal_a_look_at_every_post() {
    let world = world();
    let fetch = PipelineConfig::default().fetch;
    let light_ranker = || fetch.in_network.light_ranker.clone();
    let lists = |posts_per_list| ListPosts {
        lists: Arc::clone(&world.stores.lists),
        posts: Arc::clone(&world.stores.posts),
        config: ListsConfig { posts_per_list, ..ListsConfig::default() },
        light_ranker: light_ranker(),
    };
    let videos = PopularVideos {
        index: Arc::clone(&world.stores.retrieval),
        posts: Arc::clone(&world.stores.posts),
        config: PopularVideosConfig { max_scanned: usize::MAX, ..PopularVideosConfig::default() },
        light_ranker: light_ranker(),
    };
    let mut popularity = HashMap::<PostId, f64>::new();
    for event in &world.events {
        use EngagementKind as Kind;
        let weight = match event.kind {
            Kind::Favorite | Kind::VideoHalf => 1.0,
            Kind::Repost | Kind::Quote | Kind::Reply | Kind::Share => 2.0,
            _ => continue,
        };
        if world.raw.posts[&event.post].media.video_ms.is_some() {
            let age = (world.now().0 - event.at.0) as f64 / DAY_MS as f64;
            *popularity.entry(event.post).or_default() += weight * (-age).exp2();
        }
    }
    let horizon = |hours: i64| world.now().0 - hours * 3_600_000;
    let (mut from_lists, mut found_videos) = (0, 0);
    // The limit is each list's own: with several lists it bites more than once.
    for (viewer, most) in (1..=USERS).map(UserId).flat_map(|viewer| [(viewer, 20), (viewer, 2)]) {
        let query = world.query(viewer);
        let mut expected = Vec::new();
        for list in query.facts.lists.get().expect("was set").iter() {
            let list = world.stores.lists.get(*list).expect("exists");
            let of_list = world.posts().into_iter().filter(|post| {
                list.members.contains(&post.author)
                    && post.author != viewer
                    && post.in_reply_to.is_none()
                    && post.repost_of.is_none()
                    && post.created_at.0 >= horizon(24)
            });
            for post in of_list.take(most) {
                if !expected.contains(&post.id) {
                    expected.push(post.id);
                }
            }
        }
        let got = world.fetch(&lists(most), &query, 1.0).await;
        let got: Vec<PostId> = got.iter().map(|candidate| candidate.post_id).collect();
        assert_eq!(got, expected, "viewer {viewer}, {most} of a list");
        from_lists += got.len();
        if viewer.0 % 23 != 1 || most != 20 {
            continue;
        }
        let languages = &query.facts.settings.get().expect("was set").languages;
        let suits = |id: &PostId| {
            let post = &world.raw.posts[id];
            post.author != viewer
                && !query.avoids(post.author)
                && languages.contains(&post.language)
                && post.created_at.0 >= horizon(48)
        };
        let mut best: Vec<(PostId, f64)> =
            popularity.iter().filter(|(id, _)| suits(id)).map(|(id, sum)| (*id, *sum)).collect();
        best.sort_by(|a, b| b.1.total_cmp(&a.1));
        best.truncate(40);
        let got = world.fetch(&videos, &query, 1.0).await;
        assert_eq!(got.len(), best.len(), "viewer {viewer}");
        for (candidate, (_, sum)) in got.iter().zip(&best) {
            let own = popularity[&candidate.post_id];
            assert!((own - sum).abs() <= 1e-9 * sum, "viewer {viewer}: {own} where {sum} should stand");
        }
        found_videos += got.len();
    }
    assert!(from_lists > 20 && found_videos > 100, "{from_lists} and {found_videos}");
}

#[tokio::test]
async fn posts_of_recommended_accounts_equal_a_look_at_every_post() {
    let world = world();
    let fetch = PipelineConfig::default().fetch;
    let config = fetch.recommended_authors.clone();
    let source = RecommendedAuthors {
        stores: world.stores.clone(),
        config: config.clone(),
        light_ranker: fetch.in_network.light_ranker.clone(),
    };
    let (mut found, mut cut) = (0, 0);
    for viewer in viewers() {
        let query = world.query(viewer);
        let accounts = recommend_accounts(&world.stores, &config.accounts, &query, config.max_accounts);
        assert!(accounts.iter().all(|account| !query.avoids(account.user) && !query.follows(account.user)));
        let horizon = world.now().0 - config.max_age_ms as i64;
        let mut expected = BTreeSet::new();
        for account in accounts {
            let of_account = world.posts().into_iter().filter(|post| {
                post.author == account.user
                    && post.in_reply_to.is_none()
                    && post.repost_of.is_none()
                    && post.created_at.0 >= horizon
            });
            let all = of_account.clone().count();
            cut += all.saturating_sub(config.posts_per_account);
            expected.extend(of_account.take(config.posts_per_account).map(|post| post.id));
        }
        let all = RecommendedAuthors {
            stores: source.stores.clone(),
            config: RecommendedAuthorsConfig { max_results: usize::MAX, ..config.clone() },
            light_ranker: source.light_ranker.clone(),
        };
        let got = world.fetch(&all, &query, 1.0).await;
        let ids: BTreeSet<PostId> = got.iter().map(|candidate| candidate.post_id).collect();
        assert_eq!((ids.len(), &ids), (got.len(), &expected), "viewer {viewer}");
        assert!(got.windows(2).all(|pair| pair[0].light_score >= pair[1].light_score));
        // The limit takes the first of these.
        let limited = world.fetch(&source, &query, 0.5).await;
        let first = |candidates: &[Candidate], count: usize| {
            candidates.iter().take(count).map(|candidate| candidate.post_id).collect::<Vec<_>>()
        };
        let limit = config.max_results / 2;
        assert_eq!(first(&limited, usize::MAX), first(&got, limit), "viewer {viewer}");
        found += got.len();
    }
    assert!(found > 100 && cut > 20, "{found} found, {cut} cut");
}

#[tokio::test]
async fn sources_beyond_the_network_give_nothing_that_was_seen() {
    let world = world();
    let fetch = PipelineConfig::default().fetch;
    let (stores, light_ranker) = (&world.stores, &fetch.in_network.light_ranker);
    let second_degree = SecondDegree {
        engagements: Arc::clone(&stores.engagements),
        posts: Arc::clone(&stores.posts),
        config: fetch.second_degree.clone(),
        light_ranker: light_ranker.clone(),
    };
    let similar = Similar {
        index: Arc::clone(&stores.retrieval),
        embeddings: Arc::clone(&stores.embeddings),
        engagements: Arc::clone(&stores.engagements),
        posts: Arc::clone(&stores.posts),
        config: fetch.similar.clone(),
        light_ranker: light_ranker.clone(),
    };
    let accounts = RecommendedAuthors {
        stores: stores.clone(),
        config: fetch.recommended_authors.clone(),
        light_ranker: light_ranker.clone(),
    };
    let videos = PopularVideos {
        index: Arc::clone(&stores.retrieval),
        posts: Arc::clone(&stores.posts),
        config: fetch.popular_videos.clone(),
        light_ranker: light_ranker.clone(),
    };
    let sources: [&dyn Source<Query, Candidate>; 4] = [&second_degree, &similar, &accounts, &videos];
    for source in sources {
        let mut seen_again = 0;
        for viewer in viewers() {
            let mut query = world.query(viewer);
            let first = world.fetch(source, &query, 1.0).await;
            let seen: IdSet<PostId> = first.iter().step_by(2).map(|candidate| candidate.post_id).collect();
            query.facts.impressions = seen.clone().into();
            let then = world.fetch(source, &query, 1.0).await;
            let again = then.iter().filter(|candidate| seen.contains(candidate.post_id)).count();
            assert_eq!(again, 0, "{}, viewer {viewer}", source.name());
            // What was not seen is still there, unless what was seen made room for others before it.
            seen_again += then.len();
        }
        assert!(seen_again > 50, "{} gives {seen_again} posts", source.name());
    }
}
