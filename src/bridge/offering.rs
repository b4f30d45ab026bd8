//! Keeps a server and the hub together: starts the one, registers its tools at the other, and does so
//! again whenever either is lost.

use std::{convert::Infallible, path::PathBuf, sync::Arc};

use tokio::{
    select,
    task::JoinSet,
    time::{Duration, Instant, sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use super::{
    call::{Caller, Logging},
    conversation::Server as Talk,
    http,
    introduction::{Introduction, NoIntroduction, Opening, introduce},
    link::{Era, Link},
    listing::Listing,
    questions::Questions,
    selection::Selection,
    servers::{Server, Target},
    stdio,
};
use crate::{
    model::id::InstanceId,
    provider::remote::frame::LABEL_BYTES_MAX,
    provider_client::{Backoff, Builder, ProviderClient, Refused},
};

/// A server that held for so long was a good one: the next pause is short again.
const STABLE_AFTER: Duration = Duration::from_secs(30);
/// How often calls are looked for that nobody came back to, and tools that changed without a word …
const SWEEP: Duration = Duration::from_secs(60);
/// … and when they could not be listed …
const SWEEP_AGAIN: Duration = Duration::from_secs(10);
/// … so many times running at most, before an HTTP server counts as gone.
const FAILURES_MAX: usize = 1;
/// How long after a change of the tools they are listed: changes come in flocks.
const SETTLING_TIME: Duration = Duration::from_millis(50);
/// How long the hub may take to hear the last answers of a server that has ended.
const LAST_WORDS_TIME: Duration = Duration::from_secs(1);
/// How long taking leave of the hub may take.
const LEAVE_TIME: Duration = Duration::from_secs(3);

/// Offers servers to one hub.
#[derive(Clone)]
pub struct Bridge {
    /// The provider each server becomes, but for its name, version and tools.
    pub hub: Builder,
    pub selection: Selection,
    /// The binary of `mcp-hub`, which guards the servers that are started.
    pub guard: PathBuf,
}

/// Why a server is not offered any more.
#[derive(Debug, thiserror::Error)]
pub enum Ended {
    #[error("stopped")]
    Stopped,
    /// The hub said no, and will again.
    #[error(transparent)]
    Refused(#[from] Refused),
}

/// Why it has to be begun anew.
enum Broken {
    Ended(Ended),
    /// The server, for this reason.
    Server(String),
    /// The server, by being asked in the modern way.
    Opening(String),
}

impl From<String> for Broken {
    fn from(why: String) -> Self {
        Self::Server(why)
    }
}

impl From<Refused> for Broken {
    fn from(refused: Refused) -> Self {
        Self::Ended(refused.into())
    }
}

impl From<NoIntroduction> for Broken {
    fn from(why: NoIntroduction) -> Self {
        match why {
            NoIntroduction::NotSurvived(why) => Self::Opening(why),
            NoIntroduction::Failed(why) => Self::Server(why),
        }
    }
}

impl Bridge {
    /// Offers `server` until `stop`, or until the hub refuses.
    pub async fn offer(&self, server: &Server, stop: &CancellationToken) -> Ended {
        let mut backoff = Backoff::new();
        let mut opening = Opening::Modern;
        // The same one however often the server is restarted: what it asked finds its way back.
        let hub = self.hub.clone().instance_id(InstanceId::random().as_str());
        loop {
            let mut offered_at = None;
            let why = match self.serve(server, opening, hub.clone(), &mut offered_at, stop).await {
                Broken::Ended(ended) => return ended,
                Broken::Opening(why) => {
                    tracing::debug!(why, "the server is started again, to be asked as of old");
                    opening = Opening::Legacy;
                    continue;
                }
                Broken::Server(why) => why,
            };
            if offered_at.is_some_and(|at: Instant| at.elapsed() >= STABLE_AFTER) {
                backoff.reset();
            }
            let pause = backoff.pause();
            tracing::warn!("the server is lost: {why}; started again in {pause:.1?}");
            select! {
                () = sleep(pause) => {}
                () = stop.cancelled() => return Ended::Stopped,
            }
        }
    }

    /// One life of the server, from its start to the end of whatever ends first.
    async fn serve(
        &self,
        server: &Server,
        opening: Opening,
        hub: Builder,
        offered_at: &mut Option<Instant>,
        stop: &CancellationToken,
    ) -> Broken {
        let mut tasks = JoinSet::new();
        let broken = match self.begin(server, opening, &mut tasks, stop).await {
            Ok(offering) => {
                let Err(broken) = offering.run(hub, offered_at, stop).await;
                drop(offering);
                broken
            }
            Err(broken) => broken,
        };
        // The task that owns the link takes leave of the server, now that nobody wants anything.
        while tasks.join_next().await.is_some() {}
        broken
    }

    async fn begin(
        &self,
        server: &Server,
        opening: Opening,
        tasks: &mut JoinSet<()>,
        stop: &CancellationToken,
    ) -> Result<Offering<'_>, Broken> {
        let mut link = self.link(&server.target)?;
        let introduced = select! {
            introduced = introduce(&mut link, opening) => introduced.map_err(Broken::from),
            () = stop.cancelled() => Err(Broken::Ended(Ended::Stopped)),
        };
        let introduction = match introduced {
            Ok(introduction) => introduction,
            Err(broken) => {
                link.close().await;
                return Err(broken);
            }
        };
        let talk = Talk::new(link, tasks);
        let era = introduction.era;
        let is_http = matches!(server.target, Target::Http(_));
        let logging = Logging::new(introduction.logs);
        let questions = Questions::default();
        let caller = Caller { server: talk, era, is_http, questions, logging };
        let said = introduction.name.as_deref();
        let names =
            [server.name.as_deref(), said, Some(&server.label), Some(env!("CARGO_PKG_NAME"))];
        let name = names.into_iter().flatten().find_map(label).unwrap_or_default();
        Ok(Offering { name, selection: &self.selection, introduction, caller: Arc::new(caller) })
    }

    fn link(&self, target: &Target) -> Result<Link, String> {
        match target {
            Target::Program(program) => {
                stdio::start(program, &self.guard).map_err(|error| error.to_string())
            }
            Target::Http(target) => Ok(http::open(target.clone())),
        }
    }
}

/// A server that has introduced itself.
struct Offering<'a> {
    name: String,
    selection: &'a Selection,
    introduction: Introduction,
    caller: Arc<Caller>,
}

impl Offering<'_> {
    /// Runs until something ends it; sets when the tools were on offer first.
    async fn run(
        &self,
        hub: Builder,
        offered_at: &mut Option<Instant>,
        stop: &CancellationToken,
    ) -> Result<Infallible, Broken> {
        let server = &self.caller.server;
        let mut hub = hub.name(&self.name);
        if let Some(version) = self.introduction.version.as_deref().and_then(label) {
            hub = hub.version(version);
        }
        let (client, listing) = select! {
            registered = self.register(&hub) => registered?,
            why = server.ended() => return Err(Broken::Server(why.to_string())),
            () = stop.cancelled() => return Err(Broken::Ended(Ended::Stopped)),
        };
        *offered_at = Some(Instant::now());
        let broken = select! {
            Err(broken) = self.keep(&client, listing) => broken,
            never = self.listen() => match never {},
            why = server.ended() => Broken::Server(why.to_string()),
            () = stop.cancelled() => Broken::Ended(Ended::Stopped),
        };
        // When the server has ended, what it said last is still to be told. What it did not answer
        // has been decided by now, so that this takes no longer than the hub does to hear it.
        let within = match &broken {
            Broken::Server(_) => LAST_WORDS_TIME,
            _ => Duration::ZERO,
        };
        if timeout(LEAVE_TIME, client.finish(within)).await.is_err() {
            tracing::warn!("the hub does not take leave");
        }
        Err(broken)
    }

    /// Puts the server's tools on offer; those the hub refuses are left out, rather than all of them
    /// for one.
    async fn register(&self, hub: &Builder) -> Result<(ProviderClient, Listing), Broken> {
        let mut listing = self.list().await?;
        loop {
            match hub.clone().tools(listing.tools()).connect().await {
                Ok(client) => {
                    self.told(&listing);
                    return Ok((client, listing));
                }
                Err(refused) => listing.leave_out(refused)?,
            }
        }
    }

    /// Keeps what is on offer up to date, until the hub or an HTTP server is gone for good.
    async fn keep(
        &self,
        client: &ProviderClient,
        mut listing: Listing,
    ) -> Result<Infallible, Broken> {
        // A process that ends is noticed; over HTTP nothing may tell that a server is not there.
        let is_http = self.caller.is_http;
        let is_swept = is_http || !self.introduction.tells_changes;
        let mut failures = 0;
        loop {
            let pause = if failures > 0 { SWEEP_AGAIN } else { SWEEP };
            let may_have_changed = select! {
                refused = client.ended() => return Err(refused.into()),
                () = self.caller.server.tools_changed() => true,
                () = sleep(pause) => is_swept || failures > 0,
            };
            self.caller.questions.forget_old();
            if !may_have_changed {
                continue;
            }
            match self.renew(client, &mut listing).await {
                Ok(()) => failures = 0,
                Err(why) if is_http && failures >= FAILURES_MAX => return Err(why.into()),
                Err(why) => {
                    failures += 1;
                    tracing::warn!(why, "the tools stay as they are");
                }
            }
        }
    }

    /// Puts what the server has now in the place of `known`, if that is something else and the hub
    /// takes it.
    ///
    /// Fails with a sentence when the server does not say.
    async fn renew(&self, client: &ProviderClient, known: &mut Listing) -> Result<(), String> {
        sleep(SETTLING_TIME).await;
        let mut listing = self.list().await?;
        if listing.says_the_same(known) {
            return Ok(());
        }
        while let Err(refused) = client.set_tools(listing.tools()).await {
            if let Err(why) = listing.leave_out(refused) {
                tracing::warn!(%why, "the tools stay as they were");
                return Ok(());
            }
        }
        self.told(&listing);
        *known = listing;
        Ok(())
    }

    async fn list(&self) -> Result<Listing, String> {
        let choose = |tool: &str| self.selection.name(&self.name, tool);
        Listing::of(&self.caller, &choose).await
    }

    /// Hears of changes from a modern server: by a request that is answered only at its end.
    async fn listen(&self) -> Infallible {
        let mut backoff = Backoff::new();
        if self.introduction.era == Era::Legacy || !self.introduction.tells_changes {
            return std::future::pending().await;
        }
        loop {
            let started = Instant::now();
            let wanted = r#""notifications":{"toolsListChanged":true}"#;
            if let Ok(request) = self.caller.ask("subscriptions/listen", Some(wanted.into())) {
                drop(request.answered().await);
            }
            if started.elapsed() >= STABLE_AFTER {
                backoff.reset();
            }
            sleep(backoff.pause()).await;
            // What changed meanwhile was not heard of.
            self.caller.server.look_again();
        }
    }

    fn told(&self, listing: &Listing) {
        let server = self.introduction.name.as_deref().unwrap_or("it says no name");
        let version = self.introduction.version.as_deref().unwrap_or_default();
        tracing::info!(server, version, tools = listing.tools().count(), "offered");
    }
}

/// As much of a name or version as a hub takes; some servers have empty ones.
fn label(text: &str) -> Option<String> {
    let plain: String = text.chars().filter(|c| !c.is_control()).collect();
    let plain = &plain[..plain.floor_char_boundary(LABEL_BYTES_MAX)];
    (!plain.is_empty()).then(|| plain.to_owned())
}
