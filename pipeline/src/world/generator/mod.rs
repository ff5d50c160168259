//! The world generator.
//!
//! Everything comes from a configuration and its seed: people settle in communities ([`people`]), follow each other
//! ([`follows`]), write posts ([`plan`] decides which, [`posts`] finds the words) and engage with them
//! ([`engagements`]). Each item has its own stream of random numbers, so one item's needs change no other. Rows are
//! handed out one by one; only plans are kept, some tens of bytes for each post and engagement.
//!
//! [`people`]: self
//! [`follows`]: self
//! [`plan`]: self
//! [`posts`]: self
//! [`engagements`]: self

mod embeddings;
mod engagements;
mod extras;
mod follows;
#[cfg(feature = "model")]
mod labels;
mod people;
mod plan;
mod posts;
mod random;
mod words;

use super::WorldConfig;
use super::rows::{Topic, WorldSink};
use crate::domain::TopicId;
use crate::domain::stores::Relation;
#[cfg(feature = "model")]
pub(super) use labels::draw_labels;

use embeddings::Directions;
use engagements::{Happenings, Shelves};
use follows::UserLists;
use people::Society;
use plan::Plan;
use posts::user_id;
use words::TOPICS;

/// A planned world, ready to be written out.
pub struct Generator {
    config: WorldConfig,
    society: Society,
    follows: UserLists,
    plan: Plan,
    shelves: Shelves,
}

impl Generator {
    /// Plans a world.
    pub fn new(config: WorldConfig) -> Self {
        let society = Society::new(&config);
        let follows = follows::follows(&config, &society);
        let plan = Plan::new(&config, &society, &follows);
        let shelves = Shelves::new(&config, &society, &plan);
        Self { config, society, follows, plan, shelves }
    }

    /// Hands all rows to `sink`, in its order.
    ///
    /// # Errors
    /// What the sink answers.
    pub fn write<S: WorldSink>(&self, sink: &mut S) -> Result<(), S::Error> {
        self.write_users(sink)?;
        self.write_relations(sink)?;
        let directions = Directions::new(&self.config, &self.society);
        for user in 0..self.config.users {
            sink.embeddings(directions.of_user(&self.config, &self.society, user))?;
        }
        extras::lists(&self.config, &self.society, |list| sink.list(list))?;
        for (number, topic) in TOPICS.iter().enumerate() {
            sink.topic(Topic { id: TopicId(number as u64 + 1), name: topic.name.to_owned() })?;
        }
        for number in 0..self.plan.posts.len() as u32 {
            sink.post(&posts::write_post(&self.config, &self.society, &self.plan, number))?;
        }
        self.write_happenings(sink)?;
        extras::ads(&self.config, &self.society, &self.plan, &self.shelves, |ad| sink.ad(ad))
    }

    fn write_users<S: WorldSink>(&self, sink: &mut S) -> Result<(), S::Error> {
        let followers = self.follows.occurrences(self.config.users as usize);
        let post_count = self.plan.posts.len();
        let conversation = |random: &mut random::Random| {
            let post = self.plan.posts.get(random.below(post_count))?;
            Some(self.plan.id(post.root))
        };
        for user in 0..self.config.users {
            let following = self.follows.of(user).len() as u32;
            let posts = self.shelves.count_of(user);
            let account = people::account(
                &self.config,
                &self.society,
                user,
                people::Sizes { followers: followers[user as usize], following, posts },
            );
            sink.user(account, people::settings(&self.config, &self.society, user, &conversation))?;
        }
        Ok(())
    }

    fn write_relations<S: WorldSink>(&self, sink: &mut S) -> Result<(), S::Error> {
        for user in 0..self.config.users {
            for &target in self.follows.of(user) {
                sink.relation(Relation::Follow, user_id(user), user_id(target))?;
            }
        }
        follows::others(&self.config, &self.society, &self.follows, |relation, from, to| {
            sink.relation(relation, user_id(from), user_id(to))
        })
    }

    fn write_happenings<S: WorldSink>(&self, sink: &mut S) -> Result<(), S::Error> {
        let happenings =
            Happenings::new(&self.config, &self.society, &self.follows, &self.plan, &self.shelves);
        for engagement in happenings.engagements(&self.plan) {
            sink.engagement(&engagement)?;
        }
        for (viewer, author, strength) in &happenings.ties {
            sink.tie(user_id(*viewer), user_id(*author), strength)?;
        }
        Ok(())
    }
}
