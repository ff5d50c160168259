//! Small requests of many callers, merged into large batches; blocking callers and a future, no runtime.

mod common;

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use common::{WIDTHS, flags, model, values};
use maskrank::batching::{Job, OwnedBinary, OwnedColumns, OwnedRequest};
use maskrank::{BatchingScorer, LiveScorer, Result, ScoreWeights, Scorer};

fn request(candidates: usize, seed: usize) -> OwnedRequest {
    let candidate = OwnedColumns {
        continuous: values(candidates * WIDTHS.continuous, seed).into(),
        binary: OwnedBinary::Bytes(flags(candidates * WIDTHS.binary).into()),
        user_embedding: values(candidates * WIDTHS.user_embedding, seed).into(),
        author_embedding: values(candidates * WIDTHS.author_embedding, seed + 1).into(),
        ..OwnedColumns::default()
    };
    OwnedRequest { candidates, request: OwnedColumns::default(), candidate }
}

fn main() -> Result<()> {
    let model = model(1)?;
    let weights: Arc<[f32]> = ScoreWeights::default().resolve(model.tasks())?.into();
    let live = Arc::new(LiveScorer::new(Scorer::builder(&model).max_candidates(256).build()?)?);
    let batching = BatchingScorer::builder(&live).delay(Duration::from_millis(2)).queue(1000).build()?;

    std::thread::scope(|scope| {
        for caller in 0..8 {
            let (batching, weights) = (&batching, Arc::clone(&weights));
            scope.spawn(move || {
                let job = Job::new(request(1 + caller % 4, caller), weights)
                    .with_deadline_in(Duration::from_secs(1));
                match batching.score(job) {
                    Ok(answer) => println!("caller {caller}: in a batch of {:?}", answer.batch),
                    Err(error) => println!("caller {caller}: {error}"),
                }
            });
        }
    });

    // A ticket is a future: any runtime can poll it; here a park and a waker will do.
    let ticket = batching.submit(Job::new(request(3, 42), weights))?;
    println!("future: {:.3?}", block_on(ticket)?.scores.scores);

    let stats = batching.drain();
    println!("{} jobs in {} batches", stats.answered, stats.batches);
    for stage in stats.stages {
        println!(
            "  {:<8} mean {:?}, max {:?}",
            stage.stage,
            stage.sum / (stage.count.max(1) as u32),
            stage.max
        );
    }
    Ok(())
}

struct Unpark(std::thread::Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => std::thread::park(),
        }
    }
}
