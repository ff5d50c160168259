//! Takes connections and speaks HTTP over them.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tower::ServiceExt;

use super::app::App;
use super::connections::Connection;

/// How often idle connections are looked for.
const IDLE_CHECK: Duration = Duration::from_secs(1);
/// Pause after the system refused a connection, for want of file handles: others end meanwhile.
const ACCEPT_PAUSE: Duration = Duration::from_millis(10);

/// Binds to an address.
///
/// # Errors
/// The system refuses it: the address is taken, or not this machine's.
pub async fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    TcpListener::bind(address).await
}

/// Serves until `shutdown` resolves, then finishes what is under way and writes everything to disk.
pub async fn serve(
    app: Arc<App>,
    router: Router,
    listener: TcpListener,
    shutdown: impl Future<Output = ()>,
) -> Drained {
    let (stop, stopped) = watch::channel(false);
    let mut idle_check = tokio::time::interval(IDLE_CHECK);
    let mut shutdown = std::pin::pin!(shutdown);
    loop {
        tokio::select! {
            () = &mut shutdown => break,
            _ = idle_check.tick() => {
                let limit = Duration::from_millis(app.limits().idle_timeout_ms);
                app.connections.close_idle(limit, Instant::now());
            }
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => take(&app, &router, stream, stopped.clone()),
                Err(error) => {
                    app.connections.make_room();
                    tracing::warn!(%error, "a connection was not accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }
    // Closed before anything else: whoever comes now finds nobody, and goes to another instance.
    drop(listener);
    app.start_draining();
    _ = stop.send(true);
    drop(stopped);
    let limit = Duration::from_millis(app.limits().drain_ms);
    // Every connection holds a receiver: when all are gone, all requests are answered.
    let answered = tokio::time::timeout(limit, stop.closed()).await.is_ok();
    let stored = app.finish(limit).await;
    Drained { answered, stored }
}

/// How a shutdown went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Drained {
    /// Every request under way was answered.
    pub answered: bool,
    /// Everything that was recorded is on disk.
    pub stored: bool,
}

/// Serves one connection in its own task.
fn take(app: &Arc<App>, router: &Router, stream: TcpStream, stopped: watch::Receiver<bool>) {
    let Some(connection) = app.connections.admit(app.limits().connections, Instant::now()) else {
        app.metrics.refused_connections.inc();
        return;
    };
    // Small answers go out at once.
    _ = stream.set_nodelay(true);
    tokio::spawn(speak(Arc::clone(app), router.clone(), stream, connection, stopped));
}

async fn speak(
    app: Arc<App>,
    router: Router,
    stream: TcpStream,
    connection: Arc<Connection>,
    mut stopped: watch::Receiver<bool>,
) {
    let limits = app.limits();
    let own = Arc::clone(&connection);
    let service = hyper::service::service_fn(move |request: Request<Incoming>| {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(Arc::clone(&own));
        router.clone().oneshot(request)
    });
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(Duration::from_millis(limits.head_timeout_ms))
        .max_buf_size(limits.max_head_bytes)
        .half_close(false);
    let mut conversation = std::pin::pin!(builder.serve_connection(TokioIo::new(stream), service));
    let stopping = async {
        _ = stopped.wait_for(|stopped| *stopped).await;
    };
    let ended = tokio::select! {
        ended = conversation.as_mut() => ended,
        () = connection.closed() => return,
        () = stopping => {
            conversation.as_mut().graceful_shutdown();
            tokio::select! {
                ended = conversation.as_mut() => ended,
                () = connection.closed() => return,
            }
        }
    };
    if let Err(error) = ended {
        // Clients that send no HTTP, are too slow or go away: daily business.
        tracing::debug!(%error, "a connection ended early");
    }
}
