//! Keeps a server and the hub together: starts the one, registers its tools at the other, and does so
//! again whenever either is lost.

use std::{collections::HashMap, convert::Infallible, path::PathBuf, sync::Arc};

use reqwest::header::HeaderMap;
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::{
    select,
    task::JoinSet,
    time::{Duration, Instant, interval_at, sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use super::{
    call::{Callable, Caller, Definition, Logging},
    conversation::{Request, Server as Talk},
    http,
    introduction::{Introduction, introduce},
    link::{Era, Link},
    questions::Questions,
    selection::Selection,
    servers::{Server, Target},
    stdio,
};
use crate::{
    model::json::{self, Json},
    provider_client::{Backoff, Builder, ProviderClient, Refused, Tool},
};

/// How long a server may take to list its tools.
const LIST_TIME: Duration = Duration::from_secs(60);
/// The longest name or version of a provider, in bytes.
const LABEL_BYTES_MAX: usize = 128;
const CRATE: &str = env!("CARGO_PKG_NAME");
/// A server that never ends its list is broken; this is far beyond any that is not.
const PAGES_MAX: usize = 1000;
/// A server that held for so long was a good one: the next pause is short again.
const STABLE_AFTER: Duration = Duration::from_secs(30);
/// How often calls are looked for that nobody came back to, and tools that changed without a word.
const SWEEP: Duration = Duration::from_secs(60);
/// How long after a change of the tools they are listed: changes come in flocks.
const SETTLING_TIME: Duration = Duration::from_millis(50);

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

impl Bridge {
    /// Offers `server` until `stop`, or until the hub refuses.
    pub async fn offer(&self, server: &Server, stop: &CancellationToken) -> Ended {
        let mut backoff = Backoff::new();
        // The same one however often the server is restarted: what it asked finds its way back.
        let hub = self.hub.clone().instance_id(crate::model::id::InstanceId::random().as_str());
        loop {
            let started = Instant::now();
            let why = match self.serve(server, hub.clone(), stop).await {
                Broken::Ended(ended) => return ended,
                Broken::Server(why) => why,
            };
            if started.elapsed() >= STABLE_AFTER {
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
    async fn serve(&self, server: &Server, hub: Builder, stop: &CancellationToken) -> Broken {
        let mut tasks = JoinSet::new();
        let stopped = || Broken::Ended(Ended::Stopped);
        let begun = select! {
            begun = self.begin(server, &mut tasks) => begun,
            () = stop.cancelled() => Err(stopped()),
        };
        let broken = match begun {
            Ok(offering) => {
                let broken = offering.run(hub, stop).await;
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
        tasks: &mut JoinSet<()>,
    ) -> Result<Offering<'_>, Broken> {
        let mut link = self.link(&server.target)?;
        let introduction = match introduce(&mut link).await {
            Ok(introduction) => introduction,
            Err(why) => {
                link.close().await;
                return Err(why.into());
            }
        };
        let talk = Talk::new(link, tasks);
        let era = introduction.era;
        let is_http = matches!(server.target, Target::Http(_));
        let logging = Logging::new(introduction.logs);
        let questions = Questions::default();
        let caller = Caller { server: talk, era, is_http, questions, logging };
        let said = introduction.name.as_deref();
        let names = [server.name.as_deref(), said, Some(&server.label), Some(CRATE)];
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
    async fn run(&self, hub: Builder, stop: &CancellationToken) -> Broken {
        let server = &self.caller.server;
        select! {
            Err(broken) = self.offer(hub, stop) => broken,
            never = self.listen() => match never {},
            // The connection to the hub breaks with this: calls in flight are as lost as they are.
            why = server.ended() => Broken::Server(why.to_string()),
        }
    }

    async fn offer(&self, hub: Builder, stop: &CancellationToken) -> Result<Infallible, Broken> {
        let server = &self.caller.server;
        let mut hub = hub.name(&self.name);
        if let Some(version) = self.introduction.version.as_deref().and_then(label) {
            hub = hub.version(version);
        }
        let mut tools = self.tools().await?;
        let client = select! {
            client = connect(hub, &mut tools) => client?,
            () = stop.cancelled() => return Err(Broken::Ended(Ended::Stopped)),
        };
        self.told(&tools);
        let mut sweep = interval_at(Instant::now() + SWEEP, SWEEP);
        // A process that ends is noticed; over HTTP nothing may tell that a server is not there.
        let must_be_asked = self.caller.is_http || !self.introduction.tells_changes;
        loop {
            let changed = select! {
                () = stop.cancelled() => {
                    client.close().await;
                    return Err(Broken::Ended(Ended::Stopped));
                }
                refused = client.ended() => return Err(refused.into()),
                () = server.tools_changed() => true,
                _ = sweep.tick() => must_be_asked,
            };
            self.caller.questions.forget_old();
            if changed {
                sleep(SETTLING_TIME).await;
                let mut tools = self.tools().await?;
                replace(&client, &mut tools).await?;
                self.told(&tools);
            }
        }
    }

    /// Hears of changes from a modern server: by a request that is answered only at its end.
    async fn listen(&self) -> Infallible {
        let mut backoff = Backoff::new();
        if self.introduction.era == Era::Legacy || !self.introduction.tells_changes {
            return std::future::pending().await;
        }
        loop {
            let started = Instant::now();
            let meta = self.meta();
            let params = format!(r#"{{{meta},"notifications":{{"toolsListChanged":true}}}}"#);
            if let Ok(request) = self.request("subscriptions/listen", &params) {
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

    fn told(&self, tools: &[Offered]) {
        let server = self.introduction.name.as_deref().unwrap_or("it says no name");
        let version = self.introduction.version.as_deref().unwrap_or_default();
        tracing::info!(server, version, tools = tools.len(), "offered");
    }

    /// The server's tools, those that are selected, under the names they are offered by.
    async fn tools(&self) -> Result<Vec<Offered>, String> {
        let listing = async {
            let mut tools = Vec::new();
            let mut cursor = None;
            for _ in 0..PAGES_MAX {
                let page = self.page(cursor.as_ref()).await?;
                let said: Page<'_> = json::object(page.as_str())
                    .map_err(|error| format!("its list of tools cannot be read: {error}"))?;
                tools.extend(said.tools.iter().filter_map(|raw| self.offered(&page, raw)));
                cursor = said.next_cursor.map(|cursor| Json::cut(page.text(), cursor));
                if cursor.is_none() {
                    return Ok(tools);
                }
            }
            Err(format!("its list of tools has no end after {PAGES_MAX} pages"))
        };
        let listed = timeout(LIST_TIME, listing).await;
        listed.unwrap_or_else(|_elapsed| Err("it does not list its tools in time".into()))
    }

    async fn page(&self, cursor: Option<&Json>) -> Result<Json, String> {
        let cursor = cursor.map(|cursor| format!(r#","cursor":{}"#, cursor.as_str()));
        let params = format!("{{{}{}}}", self.meta(), cursor.unwrap_or_default());
        // Without metadata of its own a legacy request begins with the comma of the cursor.
        let params = params.replacen("{,", "{", 1);
        let request = self.request("tools/list", &params)?;
        match request.answered().await {
            Ok(Ok(page)) => Ok(page),
            Ok(Err(error)) => Err(format!("it refuses to list its tools: {}", error.message)),
            Err(fault) => Err(fault.reason),
        }
    }

    fn request(&self, method: &'static str, params: &str) -> Result<Request, String> {
        let server = &self.caller.server;
        let request = server.request(server.id(), method, params, HeaderMap::new(), None);
        request.map_err(|error| error.to_string())
    }

    /// The `_meta` member of a request of our own.
    fn meta(&self) -> String {
        match self.introduction.era {
            Era::Modern => format!(r#""_meta":{}"#, super::introduction::envelope()),
            Era::Legacy => String::new(),
        }
    }

    /// A tool of `page`, if it is to be offered.
    fn offered(&self, page: &Json, raw: &RawValue) -> Option<Offered> {
        let definition: Definition<'_> = json::object(raw.get()).ok()?;
        let name = self.selection.name(&self.name, &definition.name)?;
        let callable = Arc::new(Callable::new(&definition));
        let json = Json::cut(page.text(), raw).detached();
        let renamed =
            if name == definition.name { json } else { Definition::renamed(&json, &name) };
        let caller = Arc::clone(&self.caller);
        let tool = Tool::new(renamed, move |call| {
            let (caller, callable) = (Arc::clone(&caller), Arc::clone(&callable));
            async move { caller.call(&callable, call).await }
        });
        Some(Offered { name, tool })
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Page<'a> {
    #[serde(borrow)]
    tools: Vec<&'a RawValue>,
    #[serde(borrow)]
    next_cursor: Option<&'a RawValue>,
}

/// A tool under the name the hub knows it by.
struct Offered {
    name: String,
    tool: Tool,
}

/// As much of a name or version as a hub takes; some servers have empty ones.
fn label(text: &str) -> Option<String> {
    let plain: String = text.chars().filter(|c| !c.is_control()).collect();
    let plain = &plain[..plain.floor_char_boundary(LABEL_BYTES_MAX)];
    (!plain.is_empty()).then(|| plain.to_owned())
}

/// Connects with `tools`; those the hub refuses are left out, rather than all of them for one.
async fn connect(hub: Builder, tools: &mut Vec<Offered>) -> Result<ProviderClient, Refused> {
    only_once(tools);
    loop {
        let offered = tools.iter().map(|offered| offered.tool.clone());
        match hub.clone().tools(offered).connect().await {
            Err(refused) => leave_out(refused, tools)?,
            client => return client,
        }
    }
}

async fn replace(client: &ProviderClient, tools: &mut Vec<Offered>) -> Result<(), Refused> {
    only_once(tools);
    loop {
        let offered = tools.iter().map(|offered| offered.tool.clone());
        match client.set_tools(offered).await {
            Err(refused) => leave_out(refused, tools)?,
            Ok(_) => return Ok(()),
        }
    }
}

/// Of tools with one name the first stays.
fn only_once(tools: &mut Vec<Offered>) {
    let mut names = HashMap::new();
    tools.retain(|offered| {
        let is_first = names.insert(offered.name.clone(), ()).is_none();
        if !is_first {
            tracing::warn!(tool = offered.name, "offered once, although the server has it twice");
        }
        is_first
    });
}

/// Takes those tools out that the hub has named, if it has.
fn leave_out(refused: Refused, tools: &mut Vec<Offered>) -> Result<(), Refused> {
    let Refused::Tools { tools: faulty, .. } = &refused else { return Err(refused) };
    if faulty.is_empty() || faulty.iter().any(|tool| tool.index >= tools.len()) {
        return Err(refused);
    }
    let mut index = 0;
    tools.retain(|offered| {
        let fault = faulty.iter().find(|tool| tool.index == index);
        index += 1;
        if let Some(fault) = fault {
            tracing::warn!(tool = offered.name, why = fault.reason, "not offered");
        }
        fault.is_none()
    });
    Ok(())
}
