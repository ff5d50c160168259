//! Communities, and who lives in them.

use super::random::{Purpose, Random, Weighted};
use super::words::{FIRST_NAMES, LAST_NAMES, TONGUES, TOPICS};
use crate::domain::{
    Language, Millis, SensitiveMedia, User, UserId, Verification, ViewerSettings, ViewerState,
};
use crate::world::WorldConfig;

/// A group of people who follow each other and talk about one thing in one language.
#[derive(Clone, Debug)]
pub(super) struct Community {
    /// Position in [`TOPICS`].
    pub(super) topic: usize,
    /// Position in [`TONGUES`].
    pub(super) tongue: usize,
    /// Those who are at home here.
    pub(super) residents: Vec<u32>,
    /// Everybody who belongs to it at all.
    pub(super) members: Vec<u32>,
    /// Draws from `members`, more popular ones more often.
    pub(super) by_popularity: Weighted,
}

/// One user, as the generator sees them. Users are counted from 0; their ids are one more.
#[derive(Clone, Debug)]
pub(super) struct Person {
    /// (community, strength), ascending; the strengths' squares sum to 1.
    pub(super) communities: Vec<(u32, f32)>,
    /// The strongest of them.
    pub(super) home: u32,
    /// Position among the home's residents.
    pub(super) place: u32,
    /// How likely others follow them: heavy-tailed.
    pub(super) popularity: f64,
    /// How much they write: heavy-tailed.
    pub(super) activity: f64,
    /// How much they read: mean 1.
    pub(super) appetite: f64,
    pub(super) is_adult: bool,
    pub(super) is_creator: bool,
}

impl Person {
    /// How strongly they belong to a community.
    pub(super) fn affinity(&self, community: u32) -> f64 {
        let entry = self.communities.iter().find(|entry| entry.0 == community);
        entry.map_or(0.0, |entry| f64::from(entry.1))
    }

    /// One of their communities, stronger ones more often.
    pub(super) fn draw_community(&self, random: &mut Random) -> u32 {
        let total: f32 = self.communities.iter().map(|entry| entry.1).sum();
        let mut target = random.unit() as f32 * total;
        for &(community, strength) in &self.communities {
            target -= strength;
            if target < 0.0 {
                return community;
            }
        }
        self.home
    }
}

/// Everybody, and where they belong.
#[derive(Debug)]
pub(super) struct Society {
    pub(super) people: Vec<Person>,
    pub(super) communities: Vec<Community>,
    /// Draws from everybody, more popular ones more often.
    pub(super) by_popularity: Weighted,
}

impl Society {
    /// Settles all users in communities.
    pub(super) fn new(config: &WorldConfig) -> Self {
        let count = (config.users as usize / 150).clamp(4, 1_000);
        let tongues = Weighted::new(TONGUES.iter().map(|tongue| tongue.share));
        let mut communities: Vec<Community> = (0..count)
            .map(|number| {
                let mut random = Random::of(config.seed, Purpose::Communities, number as u64);
                Community {
                    topic: number % TOPICS.len(),
                    // The largest speaks the most common language, so that small worlds have one too.
                    tongue: if number == 0 { 0 } else { tongues.draw(&mut random).unwrap_or(0) },
                    residents: Vec::new(),
                    members: Vec::new(),
                    by_popularity: Weighted::default(),
                }
            })
            .collect();
        let sizes = Weighted::new((1..=count).map(|rank| (rank as f64).powf(-0.7)));
        let mut people = Vec::with_capacity(config.users as usize);
        for number in 0..config.users {
            let mut person = person(config.seed, number, &sizes);
            let home = &mut communities[person.home as usize];
            person.place = home.residents.len() as u32;
            home.residents.push(number);
            for (community, _) in &person.communities {
                communities[*community as usize].members.push(number);
            }
            people.push(person);
        }
        for community in &mut communities {
            let weights = community.members.iter().map(|&member| people[member as usize].popularity);
            community.by_popularity = Weighted::new(weights);
        }
        let by_popularity = Weighted::new(people.iter().map(|person| person.popularity));
        Self { people, communities, by_popularity }
    }

    /// The community where a user is at home.
    pub(super) fn home(&self, user: u32) -> &Community {
        &self.communities[self.people[user as usize].home as usize]
    }
}

fn person(seed: u64, number: u32, sizes: &Weighted) -> Person {
    let mut random = Random::of(seed, Purpose::Person, u64::from(number));
    let home = sizes.draw(&mut random).unwrap_or(0) as u32;
    let mut communities = vec![(home, 1.0_f32)];
    while communities.len() < 4 && random.chance(0.45) {
        let other = sizes.draw(&mut random).unwrap_or(0) as u32;
        if communities.iter().all(|entry| entry.0 != other) {
            communities.push((other, 0.2 + 0.5 * random.unit() as f32));
        }
    }
    communities.sort_unstable_by_key(|entry| entry.0);
    let length = communities.iter().map(|entry| entry.1 * entry.1).sum::<f32>().sqrt();
    communities.iter_mut().for_each(|entry| entry.1 /= length);
    Person {
        communities,
        home,
        place: 0,
        popularity: random.pareto(1.1, 20_000.0),
        activity: random.pareto(1.4, 300.0),
        appetite: random.exponential(1.0).min(8.0),
        is_adult: random.chance(0.02),
        is_creator: random.chance(0.04),
    }
}

/// How often a user occurs in a world.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sizes {
    pub(super) followers: u32,
    pub(super) following: u32,
    pub(super) posts: u32,
}

/// The account of a user.
pub(super) fn account(config: &WorldConfig, society: &Society, number: u32, sizes: Sizes) -> User {
    let Sizes { followers, following, posts } = sizes;
    let person = &society.people[number as usize];
    let tongue = &TONGUES[society.home(number).tongue];
    let mut random = Random::of(config.seed, Purpose::Settings, u64::from(number));
    let first = FIRST_NAMES[random.below(FIRST_NAMES.len())];
    let last = LAST_NAMES[random.below(LAST_NAMES.len())];
    let age_days = 30.0 + random.exponential(1_200.0).min(4_500.0);
    let is_popular = person.popularity > 50.0;
    User {
        id: UserId(u64::from(number) + 1),
        screen_name: format!("{}_{}{}", first.to_lowercase(), last.to_lowercase(), number + 1),
        name: format!("{first} {last}"),
        created_at: Millis(config.now.0 - (age_days * 86_400_000.0) as i64),
        followers,
        following,
        posts: posts + random.exponential(40.0 * person.activity) as u32,
        reputation: (20.0 + 12.0 * (1.0 + f64::from(followers)).ln()).min(100.0) as f32,
        language: Language::new(tongue.tag),
        country: tongue.country.to_owned(),
        verification: Verification {
            blue: random.chance(0.08),
            gold: is_popular && random.chance(0.2),
            gray: random.chance(0.001),
            legacy: is_popular && random.chance(0.5),
        },
        is_creator: person.is_creator,
        is_protected: random.chance(0.03),
        is_adult: person.is_adult,
        is_withdrawn: random.chance(0.003),
        is_support: random.chance(0.004),
    }
}

/// What a user has set. `conversations` are some that exist.
pub(super) fn settings(
    config: &WorldConfig,
    society: &Society,
    number: u32,
    conversations: &dyn Fn(&mut Random) -> Option<crate::domain::PostId>,
) -> ViewerSettings {
    let person = &society.people[number as usize];
    let mut random = Random::of(config.seed, Purpose::Settings, u64::from(number) | 1 << 40);
    let mut languages = vec![Language::new(TONGUES[society.home(number).tongue].tag)];
    for (community, _) in &person.communities {
        let language = Language::new(TONGUES[society.communities[*community as usize].tongue].tag);
        if !languages.contains(&language) {
            languages.push(language);
        }
    }
    let mut muted_keywords = Vec::new();
    while muted_keywords.len() < 3 && random.chance(0.08) {
        let topic = &TOPICS[random.below(TOPICS.len())];
        muted_keywords.extend(random.pick(topic.words).map(|&word| word.to_owned()));
    }
    let muted_conversations =
        if random.chance(0.05) { conversations(&mut random).into_iter().collect() } else { Vec::new() };
    let writes = person.activity > 2.0;
    let state = match person.appetite {
        x if x < 0.1 => ViewerState::NearZero,
        x if x < 0.2 => ViewerState::VeryLight,
        x if x < 0.5 => ViewerState::Light,
        x if x < 1.2 && writes => ViewerState::MediumTweeter,
        x if x < 1.2 => ViewerState::MediumNonTweeter,
        _ if writes => ViewerState::HeavyTweeter,
        _ => ViewerState::HeavyNonTweeter,
    };
    let sensitive_media = if random.chance(0.3) { SensitiveMedia::Show } else { SensitiveMedia::Hide };
    ViewerSettings { sensitive_media, muted_keywords, muted_conversations, languages, state }
}
