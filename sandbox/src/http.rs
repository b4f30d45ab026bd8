//! `wasi:http` for a guest: only to hosts it was granted, and only at addresses it was granted.
//!
//! Every request comes through here, so a guest that follows a redirect is checked anew; the client
//! itself follows none and knows no proxy. Names are resolved once, by [`Resolver`], and connected
//! to at just the addresses that were checked.

use std::{net::IpAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::TryFutureExt;
use http::{Method, Request, Response};
use http_body::Body as _;
use http_body_util::{BodyDataStream, BodyExt, Full};
use reqwest::{Client, Url};
use tokio::sync::Semaphore;
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody, WasiHttpHooks};

use super::{
    bounds::REQUESTS_MAX,
    denials::Denials,
    grants::Grants,
    network::{address, is_public, plain},
    resolver::{Resolver, Withheld},
};

/// How long a connection may stay open unused for the plugin's next call.
const POOL_IDLE: Duration = Duration::from_secs(30);
/// Unused connections kept for each host.
const POOL_CONNECTIONS_MAX: usize = 4;
/// Unless the guest says otherwise, for a connection and for the first byte of an answer. The call's
/// own time ends earlier as a rule.
const WAIT: Duration = Duration::from_secs(600);

/// What the calls of one plugin share: its rules and its connections.
pub(crate) struct Network {
    grants: Arc<Grants>,
    /// `None` for a plugin that may not ask anybody.
    client: Option<Client>,
}

impl Network {
    pub(crate) fn new(grants: Arc<Grants>) -> Result<Self, reqwest::Error> {
        if grants.network.is_empty() {
            return Ok(Self { grants, client: None });
        }
        let granted = Arc::clone(&grants);
        let resolver = Resolver::new(move |address| granted.allow_address(address));
        let client = Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .referer(false)
            .pool_idle_timeout(POOL_IDLE)
            .pool_max_idle_per_host(POOL_CONNECTIONS_MAX)
            .dns_resolver(Arc::new(resolver))
            .build()?;
        Ok(Self { grants, client: Some(client) })
    }
}

impl Grants {
    /// Whether a connection to `address` is in order once its host was found to be.
    fn allow_address(&self, address: IpAddr) -> bool {
        let address = plain(address);
        is_public(address)
            || self.addresses.iter().any(|net| net.contains(&address))
            || self.network.iter().any(|rule| rule.names_address(address))
    }
}

/// The door through which one call's requests go.
pub(crate) struct Http {
    network: Arc<Network>,
    denials: Denials,
    requests: Arc<Semaphore>,
}

impl Http {
    pub(crate) fn new(network: Arc<Network>, denials: Denials) -> Self {
        Self { network, denials, requests: Arc::new(Semaphore::new(REQUESTS_MAX)) }
    }
}

type Transmission = Box<dyn Future<Output = Result<(), Error>> + Send>;
type Sent = Result<(Response<WasiBody>, Transmission), Error>;

impl WasiHttpHooks for Http {
    fn send_request(
        &mut self,
        request: Request<WasiBody>,
        options: Option<RequestOptions>,
        _response: Transmission,
    ) -> Box<dyn Future<Output = Sent> + Send> {
        let (network, denials) = (Arc::clone(&self.network), self.denials.clone());
        let place = Arc::clone(&self.requests).try_acquire_owned();
        Box::new(async move {
            let place = place.map_err(|_full| Error::ConnectionLimitReached)?;
            let (client, url) = admitted(&network, &request, &denials)?;
            let response = sent(client, url.clone(), request, options.unwrap_or_default())
                .map_err(|error| told(error, &url, &denials))
                .await?;
            // The place is taken until the answer has been read or thrown away.
            let response = response.map(|body| body.map_frame(move |frame| (frame, &place).0));
            let response = response.map(BodyExt::boxed_unsync);
            Ok((response, Box::new(async { Ok(()) }) as Transmission))
        })
    }
}

/// The URL of `request` if it may be asked for.
fn admitted<'a>(
    network: &'a Network,
    request: &Request<WasiBody>,
    denials: &Denials,
) -> Result<(&'a Client, Url), Error> {
    let url = Url::parse(&request.uri().to_string())
        .map_err(|_unreadable| Error::HttpRequestUriInvalid)?;
    let origin = url.origin().ascii_serialization();
    let is_allowed = network.grants.network.iter().any(|rule| rule.allows(&url));
    let (Some(client), true) = (&network.client, is_allowed) else {
        let wanted = format!("{} {origin}", request.method());
        denials.add(&wanted, &format!("network = [\"{origin}\"]"));
        return Err(Error::HttpRequestDenied);
    };
    match address(&url) {
        Some(address) if !network.grants.allow_address(address) => {
            withheld(&origin, address, denials);
            Err(Error::DestinationIpProhibited)
        }
        _ => Ok((client, url)),
    }
}

fn withheld(origin: &str, address: IpAddr, denials: &Denials) {
    let wanted = format!("{origin}, which is at the private address {address},");
    denials.add(&wanted, &format!("addresses = [\"{address}\"]"));
}

/// A failure in the words of `wasi:http`.
fn told(error: Undelivered, url: &Url, denials: &Denials) -> Error {
    let error = match error {
        Undelivered::Late => return Error::ConnectionTimeout,
        Undelivered::Body(error) => return error,
        Undelivered::Failed(error) => error,
    };
    if let Some(address) = Withheld::behind(&error) {
        withheld(&url.origin().ascii_serialization(), address, denials);
        return Error::DestinationIpProhibited;
    }
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(&error);
    while let Some(inner) = cause {
        if let Some(io) = inner.downcast_ref::<std::io::Error>()
            && io.kind() == std::io::ErrorKind::ConnectionRefused
        {
            return Error::ConnectionRefused;
        }
        cause = inner.source();
    }
    tracing::debug!(%error, "a plugin's request failed");
    if error.is_timeout() {
        Error::ConnectionTimeout
    } else if error.is_connect() {
        Error::DestinationUnavailable
    } else {
        Error::HttpProtocolError
    }
}

/// Why there is no response.
enum Undelivered {
    Late,
    /// The guest's own body broke off.
    Body(Error),
    Failed(reqwest::Error),
}

async fn sent(
    client: &Client,
    url: Url,
    request: Request<WasiBody>,
    options: RequestOptions,
) -> Result<Response<WasiBody>, Undelivered> {
    let (parts, body) = request.into_parts();
    let mut outgoing = client.request(parts.method.clone(), url).headers(parts.headers);
    if let Some(body) = body_of(&parts.method, body).await.map_err(Undelivered::Body)? {
        outgoing = outgoing.body(body);
    }
    let wait = options.connect_timeout.unwrap_or(WAIT) + options.first_byte_timeout.unwrap_or(WAIT);
    let response = tokio::time::timeout(wait, outgoing.send())
        .await
        .map_err(|_elapsed| Undelivered::Late)?
        .map_err(Undelivered::Failed)?;
    let broken = |error: reqwest::Error| {
        tracing::debug!(%error, "an answer to a plugin's request broke off");
        Error::HttpResponseIncomplete
    };
    let response: Response<reqwest::Body> = response.into();
    Ok(response.map(|body| body.map_err(broken).boxed_unsync()))
}

/// `None` when there is nothing to send: a request without a body must not announce one.
async fn body_of(method: &Method, mut body: WasiBody) -> Result<Option<reqwest::Body>, Error> {
    if body.is_end_stream() {
        return Ok(None);
    }
    // These seldom have one, although guests often open it. What tells is the first piece.
    if matches!(*method, Method::GET | Method::HEAD | Method::DELETE | Method::OPTIONS) {
        let Some(first) = body.frame().await.transpose()? else { return Ok(None) };
        let first = first.into_data().unwrap_or_else(|_trailers| Bytes::new());
        let first = Full::new(first).map_err(|never| match never {});
        return Ok(Some(streamed(first.boxed_unsync(), Some(body))));
    }
    Ok(Some(streamed(body, None)))
}

fn streamed(first: WasiBody, rest: Option<WasiBody>) -> reqwest::Body {
    use futures_util::StreamExt;

    let rest = futures_util::stream::iter(rest.map(BodyDataStream::new)).flatten();
    reqwest::Body::wrap_stream(BodyDataStream::new(first).chain(rest))
}
