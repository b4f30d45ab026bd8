//! Keys that an issuer publishes at a URL: fetched now and then, and when a token names one that is
//! not known.
//!
//! One task fetches; those who miss a key ask it and wait. So there is never more than one request to
//! the server, and never sooner than a pause after the last one, whatever tokens people make up. A
//! server that cannot be reached takes away nothing: the keys it had stay.

use std::{
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use ipnet::IpNet;
use mcp_hub_sandbox::{
    network::is_public,
    resolver::{Resolver, Withheld},
};
use metrics::{Counter, counter};
use reqwest::{Client, StatusCode, Url};
use tokio::{
    sync::{Notify, Semaphore, SemaphorePermit, watch},
    time::{sleep, timeout},
};

use super::{
    denial::Unjudged,
    key_set::{KeySet, NoKeySet},
    ring::{Revision, Ring},
};
use crate::model::error::innermost;

/// The largest key set that is read, in bytes. 64 RSA keys with their certificates have less.
const SET_BYTES_MAX: usize = 256 * 1024;
/// How long one fetch may take.
const FETCH_TIME: Duration = Duration::from_secs(10);
/// How long after a failed fetch the next one begins unasked.
const RETRY: Duration = Duration::from_secs(30);
/// Requests that may wait for one server at once; more are told to come again.
const WAITING_MAX: usize = 256;

/// How a key server is dealt with.
#[derive(Debug, Clone)]
pub(super) struct Manners {
    /// How often keys are fetched in any case.
    pub refresh: Duration,
    /// The least time between two fetches.
    pub pause: Duration,
    /// Private networks that servers may be in.
    pub networks: Vec<IpNet>,
}

/// Whom to ask for keys. Cheap to share.
pub(super) struct KeyServer {
    ring: Arc<Ring>,
    manners: Manners,
    /// Whether the last fetch brought nothing, or there was none yet.
    is_failing: AtomicBool,
    wanted: Notify,
    fetches: watch::Sender<Fetches>,
    waiting: Semaphore,
}

/// How many fetches have begun, and how many of them have ended: all, or all but the last.
#[derive(Debug, Default, Clone, Copy)]
struct Fetches {
    begun: u64,
    ended: u64,
}

/// Somebody who misses a key and has asked for it.
pub(super) struct Asked<'a> {
    server: &'a KeyServer,
    fetches: watch::Receiver<Fetches>,
    /// The fetches that had begun before: what they bring may be older than the key.
    earlier: u64,
    /// Those that were waited for.
    ended: u64,
    _place: SemaphorePermit<'a>,
}

/// The one who asks.
pub(super) struct Fetcher {
    url: Url,
    client: Client,
    server: Arc<KeyServer>,
}

#[derive(Debug, thiserror::Error)]
enum NotFetched {
    #[error(
        "the server is at the private address {0}; if that is right, name its network in \
         auth.jwks_addresses"
    )]
    Withheld(IpAddr),
    #[error("the server cannot be reached: {0}")]
    Unreachable(String),
    #[error("the server answers with status {0}")]
    Refused(StatusCode),
    #[error("its answer has more than {SET_BYTES_MAX} bytes")]
    TooLarge,
    #[error(transparent)]
    NoKeySet(#[from] NoKeySet),
}

impl NotFetched {
    /// For the metric.
    fn outcome(&self) -> &'static str {
        match self {
            Self::Withheld(_) | Self::Unreachable(_) => "unreachable",
            Self::Refused(_) => "refused",
            Self::TooLarge | Self::NoKeySet(_) => "unusable",
        }
    }
}

/// Has all outcomes counted from the start: one that never came up is to be seen as zero.
pub(super) fn prepare() {
    let outcomes = ["fetched", "unreachable", "refused", "unusable"];
    outcomes.into_iter().for_each(|outcome| fetches(outcome).increment(0));
}

fn fetches(outcome: &'static str) -> Counter {
    counter!("mcp_hub_key_fetches_total", "outcome" => outcome)
}

impl From<reqwest::Error> for NotFetched {
    fn from(error: reqwest::Error) -> Self {
        match Withheld::behind(&error) {
            Some(address) => Self::Withheld(address),
            None => Self::Unreachable(innermost(&error)),
        }
    }
}

impl KeyServer {
    /// The server at `url`, a checked one, and the task that asks it.
    pub(super) fn new(
        url: Url,
        manners: Manners,
        revision: Revision,
    ) -> Result<(Arc<Self>, Fetcher), reqwest::Error> {
        let networks = manners.networks.clone();
        let is_this_machine = url.host_str() == Some("localhost");
        let resolver = Resolver::new(move |address| {
            is_public(address)
                || (is_this_machine && address.is_loopback())
                || networks.iter().any(|network| network.contains(&address))
        });
        let client = Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .referer(false)
            .timeout(FETCH_TIME)
            .pool_max_idle_per_host(0)
            .dns_resolver(Arc::new(resolver))
            .build()?;
        let server = Arc::new(Self {
            ring: Arc::new(Ring::new(KeySet::default(), revision)),
            manners,
            is_failing: AtomicBool::new(true),
            wanted: Notify::new(),
            fetches: watch::Sender::default(),
            waiting: Semaphore::new(WAITING_MAX),
        });
        let fetcher = Fetcher { url, client, server: Arc::clone(&server) };
        Ok((server, fetcher))
    }

    pub(super) fn ring(&self) -> Arc<Ring> {
        Arc::clone(&self.ring)
    }

    /// When it is worth while to ask again.
    pub(super) fn retry_after(&self) -> Duration {
        self.manners.pause
    }

    /// Has the keys fetched once more, unless too many wait for that already.
    pub(super) fn ask(&self) -> Result<Asked<'_>, Unjudged> {
        let place = self.waiting.try_acquire().map_err(|_full| Unjudged::Crowded)?;
        let fetches = self.fetches.subscribe();
        let Fetches { begun, ended } = *fetches.borrow();
        self.wanted.notify_one();
        Ok(Asked { server: self, fetches, earlier: begun, ended, _place: place })
    }
}

impl Asked<'_> {
    /// Waits until a fetch has ended, and tells whether it is the one that was asked for: it began
    /// later, so what it did not bring is not there. The one under way when it was asked for comes
    /// first, for that may bring the key as well.
    pub(super) async fn fetched(&mut self) -> Result<bool, Unjudged> {
        // It begins after the pause, and lasts as long as a fetch may.
        let patience = self.server.manners.pause.saturating_add(2 * FETCH_TIME);
        let before = self.ended;
        let ended = self.fetches.wait_for(|fetches| fetches.ended > before);
        let Ok(Ok(fetches)) = timeout(patience, ended).await else {
            return Err(Unjudged::Unfetched);
        };
        self.ended = fetches.ended;
        if self.server.is_failing.load(Ordering::Acquire) {
            return Err(Unjudged::Unfetched);
        }
        Ok(self.ended > self.earlier)
    }
}

impl Fetcher {
    /// Fetches, waits, fetches; runs until dropped.
    pub(super) async fn run(self) {
        let Manners { refresh, pause, .. } = self.server.manners;
        let mut told = None;
        loop {
            self.server.fetches.send_modify(|fetches| fetches.begun += 1);
            let fetched = self.fetch().await;
            let is_failing = fetched.is_err();
            self.tell(&fetched, &mut told);
            if let Ok(keys) = fetched {
                self.server.ring.replace(keys);
            }
            self.server.is_failing.store(is_failing, Ordering::Release);
            self.server.fetches.send_modify(|fetches| fetches.ended += 1);
            sleep(pause).await;
            let due = if is_failing { RETRY.min(refresh) } else { refresh };
            tokio::select! {
                () = sleep(due.saturating_sub(pause)) => {}
                () = self.server.wanted.notified() => {}
            }
        }
    }

    async fn fetch(&self) -> Result<KeySet, NotFetched> {
        let mut response = self.client.get(self.url.clone()).send().await?;
        if response.status() != StatusCode::OK {
            return Err(NotFetched::Refused(response.status()));
        }
        let mut body = Vec::new();
        while let Some(piece) = response.chunk().await? {
            if body.len() + piece.len() > SET_BYTES_MAX {
                return Err(NotFetched::TooLarge);
            }
            body.extend_from_slice(&piece);
        }
        Ok(KeySet::parse(&body)?)
    }

    /// Counts every fetch, and logs what is news.
    fn tell(&self, fetched: &Result<KeySet, NotFetched>, told: &mut Option<String>) {
        let outcome = fetched.as_ref().map_or_else(NotFetched::outcome, |_keys| "fetched");
        fetches(outcome).increment(1);
        let url = &self.url;
        let news = match fetched {
            Ok(keys) => format!("{} keys", keys.len()),
            Err(error) => error.to_string(),
        };
        if told.as_ref() == Some(&news) {
            return;
        }
        match fetched {
            Ok(keys) if keys.len() == 0 => {
                tracing::warn!(%url, "the issuer has no key of use here: its tokens are refused");
            }
            Ok(keys) => tracing::info!(%url, keys = keys.len(), "the issuer's keys were fetched"),
            Err(error) => {
                tracing::warn!(%url, %error, "no keys were fetched; those of before stay in use");
            }
        }
        *told = Some(news);
    }
}
