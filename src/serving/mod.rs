//! The door: accepts connections, with TLS or without, speaks HTTP/1.1 and HTTP/2 on them, and lets go
//! of those that take too much or too long.

mod admission;
mod answer;
mod backlog;
mod certificate;
mod connection;
mod head;
mod open_files;
mod patience;
mod proxies;
mod stream;
mod turned_away;

use std::{io, net::IpAddr, sync::Arc, time::Duration};

use axum::{extract::Request, response::Response};
use futures_util::future::BoxFuture;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::task::TaskTracker;

use self::{
    admission::{Admission, Full},
    connection::Host,
    patience::Patience,
    proxies::Proxies,
    stream::Stream,
};
pub use self::{
    certificate::{BadCertificate, Certificate, Options},
    open_files::allow_open_files,
    proxies::Network,
};
use crate::{lifecycle::Lifecycle, model::limits::Limits};

/// Counts how often which bound was hit.
const LIMIT_HITS: &str = "mcp_hub_limit_hits_total";

/// How long nothing is accepted after the system has refused to: it is out of files or memory, and
/// has them again when connections end.
const PAUSE: Duration = Duration::from_millis(500);

/// What there is to be asked.
pub trait Site: Send + Sync + 'static {
    /// Answers one request, whatever it asks for.
    fn answer(&self, request: Request) -> BoxFuture<'static, Response>;
}

/// Serves whoever connects.
pub struct Server {
    host: Arc<Host>,
    admission: Arc<Admission>,
    /// Those that have not become WebSockets.
    connections: TaskTracker,
}

impl Server {
    /// Speaks plain HTTP if there is no `certificate`, and believes what `trusted` proxies say.
    pub fn new(
        limits: Arc<Limits>,
        lifecycle: Lifecycle,
        certificate: Option<&Certificate>,
        trusted: &[Network],
        site: impl Site,
    ) -> Self {
        certificate::prepare();
        let admission = Arc::new(Admission::new(&limits));
        let tls = certificate.map(Certificate::acceptor);
        let host = Host::new(limits, lifecycle, Proxies::new(trusted), tls, site);
        Self { host: Arc::new(host), admission, connections: TaskTracker::new() }
    }

    /// Accepts until the hub drains, then waits until what was asked has been answered. Connections
    /// that have become WebSockets are not waited for.
    pub async fn serve(self, listener: TcpListener) {
        let draining = self.host.lifecycle.draining();
        while let Some(accepted) = draining.run_until_cancelled(listener.accept()).await {
            match accepted {
                // One that listens to both hears of IPv4 as a part of IPv6.
                Ok((socket, address)) => self.welcome(socket, address.ip().to_canonical()),
                // It was gone before it was accepted.
                Err(error) if is_of_the_peer(&error) => {}
                Err(error) => {
                    tracing::error!(%error, "no connection can be accepted");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
        drop(listener);
        self.connections.close();
        self.connections.wait().await;
    }

    fn welcome(&self, socket: TcpStream, peer: IpAddr) {
        let is_proxy = self.host.proxies.contain(peer);
        let place = match self.admission.admit(peer, is_proxy) {
            Ok(place) => place,
            Err(full) => return self.turn_away(socket, peer, full),
        };
        // Small answers would otherwise wait for the acknowledgement of the one before.
        if let Err(error) = socket.set_nodelay(true) {
            tracing::debug!(%error, "TCP_NODELAY could not be set");
        }
        let host = Arc::clone(&self.host);
        let patience = Arc::new(Patience::new(Arc::clone(&host.limits)));
        let stream = Stream::new(socket, Arc::clone(&patience), host.limits.write_stall, place);
        let connection = async move { host.serve(stream, peer, patience).await };
        self.host.lifecycle.spawn(self.connections.track_future(connection));
    }

    fn turn_away(&self, socket: TcpStream, peer: IpAddr, full: Full) {
        count_hit(full.limit());
        tracing::debug!(client = %peer, why = %full, "turned away");
        // Over TLS it would take a handshake to tell.
        if self.host.tls.is_none() {
            self.host.doorman.tell(socket, turned_away::full(&full.to_string()));
        }
    }
}

/// Whether the fault is of one connection, and the next may be a better one.
fn is_of_the_peer(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};

    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

fn count_hit(limit: &'static str) {
    metrics::counter!(LIMIT_HITS, "limit" => limit).increment(1);
}
