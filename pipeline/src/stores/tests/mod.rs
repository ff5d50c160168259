//! Tests of the embedded stores through their traits.

use std::sync::Arc;
use std::time::Instant;

use crate::domain::{Clock, ManualClock};
use crate::stores::{Embedded, StoreOptions};
use crate::world::{LoadedWorld, WorldConfig};

#[test]
fn a_small_world_opens() {
    let started = Instant::now();
    let world = LoadedWorld::generate(WorldConfig::default()).expect("the generator keeps its own rules");
    let clock: Arc<dyn Clock> = Arc::new(ManualClock::new(world.now));
    let stores = Embedded::in_memory(world.base, clock, StoreOptions::default()).expect("opens");
    assert_eq!(stores.sizes(), (1_000, 10_000));
    println!("took {:?}", started.elapsed());
}
