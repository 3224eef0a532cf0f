//! The server: one thread, on the loopback interface only.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    sync::Arc,
    thread::{self, JoinHandle},
    time::Duration,
};

use futures_util::future::{Either, select};
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use serde_json::json;
use tokio::{
    runtime,
    sync::{Semaphore, oneshot},
};

use super::{
    Allowance, Desk, Feed, RunningPage,
    guard::Guard,
    requests::{self, Served},
};

/// How long the tabs have to take the last message.
const FAREWELL: Duration = Duration::from_millis(200);

/// A server that runs, until it is dropped.
#[derive(Debug)]
pub struct Server {
    port: u16,
    guard: Arc<Guard>,
    feed: Feed,
    close: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Listens on this port of the loopback interface, or on any free one for 0.
    pub fn start(port: u16, desk: impl Desk, feed: Feed, allowance: Allowance) -> io::Result<Self> {
        let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))?;
        listener.set_nonblocking(true)?;
        let port = listener.local_addr()?.port();
        let guard = Arc::new(Guard::new(port).map_err(io::Error::other)?);
        let runtime = runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
        let shared = Served { guard: guard.clone(), desk: Arc::new(desk), feed: feed.clone(), allowance };
        let (close, closed) = oneshot::channel();
        let thread = thread::Builder::new().name("page".into()).spawn(move || {
            runtime.block_on(async {
                let serve = Box::pin(serve(listener, shared));
                if let Either::Left((Err(error), _)) = select(serve, closed).await {
                    log::error!("page: {error}");
                }
            });
            // A desk may still be busy with a wish.
            runtime.shutdown_background();
        })?;
        Ok(Self { port, guard, feed, close: Some(close), thread: Some(thread) })
    }

    /// The address without its secret.
    pub fn address(&self) -> String {
        format!("http://127.0.0.1:{}/", self.port)
    }

    /// An address that gives access once.
    pub fn ticket(&self) -> io::Result<String> {
        let ticket = self.guard.ticket().map_err(io::Error::other)?;
        Ok(format!("{}#{}", self.address(), ticket.text()))
    }

    /// What another start of this program needs to find this server.
    pub fn running(&self) -> RunningPage {
        RunningPage { port: self.port, key: self.guard.key().text().to_owned() }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.feed.tell(None, &json!({ "event": "bye" }));
        thread::sleep(FAREWELL);
        drop(self.close.take());
        self.thread.take().map(JoinHandle::join);
    }
}

async fn serve(listener: TcpListener, shared: Served) -> io::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let slots = Arc::new(Semaphore::new(shared.allowance.connections));
    let router = requests::router(shared.clone());
    loop {
        let slot = slots.clone().acquire_owned().await.map_err(io::Error::other)?;
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                // Such as too many open files: others may be closed soon.
                log::warn!("page: {error}");
                tokio::time::sleep(FAREWELL).await;
                continue;
            }
        };
        let service = TowerToHyperService::new(router.clone());
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(shared.allowance.arrival)
            .serve_connection(TokioIo::new(stream), service);
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                log::debug!("page: {error}");
            }
            drop(slot);
        });
    }
}
