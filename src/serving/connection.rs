//! One connection, from its first byte until it is closed or becomes a WebSocket.

use std::{convert::Infallible, io, net::IpAddr, pin::pin, sync::Arc, time::Duration};

use axum::{
    body::Body,
    http::{Request, Response, StatusCode, Version},
    response::IntoResponse,
};
use bytesize::ByteSize;
use hyper::{body::Incoming, rt::Executor};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::conn::auto::Builder,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::{Instant, sleep, timeout},
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

use super::{
    Site,
    answer::Answer,
    backlog::Backlog,
    count_hit, head,
    patience::{Overdue, Patience},
    proxies::Proxies,
    stream::Stream,
    turned_away::{self, Doorman},
};
use crate::{
    lifecycle::Lifecycle,
    model::{
        client::ClientAddress,
        limits::{self, Limits},
    },
};

/// The first byte of a TLS handshake (RFC 8446 §5.1).
const HANDSHAKE: u8 = 22;
/// What a client over HTTP/2 may send of one body before it is read, in bytes …
const STREAM_WINDOW: u32 = 256 * 1024;
/// … and of all bodies on its connection.
const CONNECTION_WINDOW: u32 = 512 * 1024;
/// What is taken of an answer over HTTP/2 before its client asks for it, in bytes.
const SEND_BUFFER: usize = 64 * 1024;

/// How long a connection on which nothing is under way may take to end when the hub stops.
const FAREWELL: Duration = Duration::from_secs(1);

/// What all connections are served with.
pub(super) struct Host {
    pub limits: Arc<Limits>,
    pub lifecycle: Lifecycle,
    pub proxies: Proxies,
    pub tls: Option<TlsAcceptor>,
    pub doorman: Doorman,
    backlog: Arc<Backlog>,
    site: Arc<dyn Site>,
    http: Builder<Tasks>,
}

/// Runs hyper's tasks, one for each request over HTTP/2, among those of the hub.
#[derive(Clone)]
struct Tasks(Lifecycle);

impl<F: Future<Output = ()> + Send + 'static> Executor<F> for Tasks {
    fn execute(&self, task: F) {
        self.0.spawn(task);
    }
}

impl Host {
    pub(super) fn new(
        limits: Arc<Limits>,
        lifecycle: Lifecycle,
        proxies: Proxies,
        tls: Option<TlsAcceptor>,
        site: impl Site,
    ) -> Self {
        let head = limits::bytes(limits.request_head);
        let mut http = Builder::new(Tasks(lifecycle.clone()));
        // The head of a request has to fit the buffer it is read into. What is a little too large is
        // read to its end, so that its sender can be told.
        let head = head.saturating_mul(2);
        http.http1().max_buf_size(head);
        http.http2()
            .timer(TokioTimer::new())
            .max_concurrent_streams(limits.requests_per_connection.get())
            .max_header_list_size(u32::try_from(head).unwrap_or(u32::MAX))
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .max_send_buf_size(SEND_BUFFER)
            .keep_alive_interval(limits.ping_interval)
            .keep_alive_timeout(limits.ping_grace);
        let doorman = Doorman::new(lifecycle.clone());
        let backlog = Arc::new(Backlog::new(limits.answers));
        let site = Arc::new(site);
        Self { limits, lifecycle, proxies, tls, doorman, backlog, site, http }
    }

    /// Serves `peer` on `stream`.
    pub(super) async fn serve(&self, stream: Stream, peer: IpAddr, patience: Arc<Patience>) {
        match &self.tls {
            None => self.speak(stream, peer, false, patience).await,
            // What TLS takes is no burden on connections without it.
            Some(tls) => Box::pin(self.serve_secured(tls, stream, peer, patience)).await,
        }
    }

    async fn serve_secured(
        &self,
        tls: &TlsAcceptor,
        stream: Stream,
        peer: IpAddr,
        patience: Arc<Patience>,
    ) {
        let handshake = timeout(self.limits.tls_handshake_time, self.secure(tls, stream));
        let draining = self.lifecycle.draining();
        // Who has no handshake has asked nothing.
        let Some(handshake) = draining.run_until_cancelled(handshake).await else { return };
        match handshake {
            Ok(Ok(stream)) => self.speak(stream, peer, true, patience).await,
            Ok(Err(error)) => tracing::debug!(client = %peer, %error, "no TLS handshake"),
            Err(_elapsed) => {
                count_hit("limits.tls_handshake_time");
                tracing::debug!(client = %peer, "no TLS handshake in time");
            }
        }
    }

    async fn secure(&self, tls: &TlsAcceptor, stream: Stream) -> io::Result<TlsStream<Stream>> {
        match stream.first_byte().await? {
            Some(HANDSHAKE) => tls.accept(stream).await,
            None => Err(io::ErrorKind::UnexpectedEof.into()),
            Some(_) => {
                self.doorman.tell(stream, turned_away::not_tls());
                Err(io::Error::other("the client does not speak TLS"))
            }
        }
    }

    /// Speaks HTTP, of whichever version the client does.
    async fn speak<S>(&self, stream: S, peer: IpAddr, is_secure: bool, patience: Arc<Patience>)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        patience.start();
        let answering = Answering {
            site: Arc::clone(&self.site),
            proxies: self.proxies.clone(),
            patience: Arc::clone(&patience),
            backlog: Arc::clone(&self.backlog),
            head_max: self.limits.request_head,
            peer,
            is_secure,
        };
        let service = hyper::service::service_fn(move |request| answering.answer(request));
        let serving = self.http.serve_connection_with_upgrades(TokioIo::new(stream), service);
        let mut serving = pin!(serving);
        let mut draining = self.lifecycle.heed_draining();
        let mut look = pin!(sleep(self.limits.request_head_time));
        let (mut is_ending, mut is_draining) = (false, false);
        loop {
            tokio::select! {
                biased;
                served = serving.as_mut() => {
                    if let Err(error) = served {
                        head::count_refused(&*error);
                        tracing::debug!(client = %peer, error, "a connection broke");
                    }
                    return;
                }
                () = &mut draining, if !is_draining => {
                    (is_ending, is_draining) = (true, true);
                    serving.as_mut().graceful_shutdown();
                    look.as_mut().reset(Instant::now() + FAREWELL);
                }
                () = look.as_mut() => match patience.left() {
                    // Only what was asked is waited for: not half a head, nor a client that is deaf
                    // to its farewell.
                    _ if is_draining && patience.has_rested_for(FAREWELL) => return,
                    Ok(_) if is_draining => look.as_mut().reset(Instant::now() + FAREWELL),
                    Ok(left) => look.as_mut().reset(Instant::now() + left),
                    // Over HTTP/2 it is told so first.
                    Err(Overdue::Idle) if !is_ending => {
                        count_hit(Overdue::Idle.limit());
                        is_ending = true;
                        serving.as_mut().graceful_shutdown();
                        look.as_mut().reset(Instant::now() + self.limits.request_head_time);
                    }
                    Err(overdue) => {
                        // That it is idle was counted when it was told, or it is the hub that leaves.
                        if overdue != Overdue::Idle {
                            count_hit(overdue.limit());
                        }
                        tracing::debug!(client = %peer, limit = overdue.limit(), "hung up");
                        return;
                    }
                },
            }
        }
    }
}

/// Hands the requests of one connection on.
struct Answering {
    site: Arc<dyn Site>,
    proxies: Proxies,
    patience: Arc<Patience>,
    backlog: Arc<Backlog>,
    head_max: ByteSize,
    peer: IpAddr,
    is_secure: bool,
}

impl Answering {
    fn answer(
        &self,
        mut request: Request<Incoming>,
    ) -> impl Future<Output = Result<Response<Answer>, Infallible>> + use<> {
        let turn = self.patience.begin(request.version() == Version::HTTP_2);
        let client = self.proxies.client(self.peer, request.headers());
        let checked = head::check(&request, self.head_max)
            .and_then(|()| self.proxies.locate(&mut request, self.peer, self.is_secure));
        request.extensions_mut().insert(ClientAddress(client));
        let backlog = Arc::clone(&self.backlog);
        let answer = checked.map(|()| self.site.answer(request.map(Body::new)));
        async move {
            let response = match answer {
                Ok(answer) => answer.await,
                Err(bad) => bad.into_response(),
            };
            let status = response.status();
            if matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
                tracing::debug!(%client, status = status.as_u16(), "not let in");
            }
            Ok(Answer::of(response, turn, backlog))
        }
    }
}
