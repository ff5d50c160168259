//! `act`: what a viewer does about an account, stored before the command ends.

use std::path::PathBuf;

use clap::ValueEnum;
use maskrank_pipeline::domain::stores::Relation;
use maskrank_pipeline::domain::{Feedback, FeedbackKind, UserId};

use crate::Outcome;
use crate::setup::World;

#[derive(Clone, Copy, ValueEnum)]
enum Deed {
    Follow,
    Unfollow,
    Block,
    Unblock,
    Mute,
    Unmute,
    RepostsOff,
    RepostsOn,
    SeeFewer,
}

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Who acts
    #[arg(long, value_name = "ID")]
    viewer: UserId,
    /// What they do
    deed: Deed,
    /// About whom
    account: UserId,
    /// The world's folder; without it the small world
    #[arg(long, value_name = "DIR")]
    world: Option<PathBuf>,
}

pub(crate) fn run(arguments: &Arguments) -> Outcome {
    let world = World::open(arguments.world.as_deref())?;
    let (viewer, about) = (arguments.viewer, arguments.account);
    for id in [viewer, about] {
        world.stores.users.get(id).ok_or_else(|| format!("there is no account {id}"))?;
    }
    let (relation, holds) = match arguments.deed {
        Deed::Follow => (Relation::Follow, true),
        Deed::Unfollow => (Relation::Follow, false),
        Deed::Block => (Relation::Block, true),
        Deed::Unblock => (Relation::Block, false),
        Deed::Mute => (Relation::Mute, true),
        Deed::Unmute => (Relation::Mute, false),
        Deed::RepostsOff => (Relation::RepostsOff, true),
        Deed::RepostsOn => (Relation::RepostsOff, false),
        Deed::SeeFewer => {
            let at = world.clock.now();
            let feedback = Feedback { viewer, kind: FeedbackKind::Post, about, post: None, at };
            return Ok(world.stores.feedback.record_feedback(feedback)?);
        }
    };
    Ok(world.stores.graph.set(relation, viewer, about, holds)?)
}
