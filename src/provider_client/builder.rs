//! Everything a provider says of itself before it dials.

use std::{fmt, sync::Arc};

use futures_util::future::{BoxFuture, FutureExt};
use reqwest::Url;
use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
};

use super::{
    ProviderClient, Refused, State,
    call::{Tool, Tools},
    worker::Worker,
};
use crate::model::id::InstanceId;

/// Commands that may wait for a worker that is busy.
const COMMANDS_MAX: usize = 16;

type TokenSource = Arc<dyn Fn() -> BoxFuture<'static, Option<String>> + Send + Sync>;

/// A provider in the making.
#[derive(Clone)]
pub struct Builder {
    pub(super) endpoint: Url,
    pub(super) token: TokenSource,
    pub(super) name: String,
    pub(super) version: Option<String>,
    pub(super) instance: String,
    tools: Vec<Tool>,
}

impl Builder {
    pub(super) fn new(url: &str) -> Result<Self, Refused> {
        Ok(Self {
            endpoint: endpoint(url)?,
            token: Arc::new(|| async { None }.boxed()),
            name: env!("CARGO_PKG_NAME").to_owned(),
            version: None,
            instance: InstanceId::random().as_str().to_owned(),
            tools: Vec::new(),
        })
    }

    /// The bearer token to show to the hub.
    #[must_use]
    pub fn token(self, token: impl Into<String>) -> Self {
        let token = token.into();
        self.token_from(move || std::future::ready(Some(token.clone())))
    }

    /// Where a token comes from; asked each time the hub is dialed.
    #[must_use]
    pub fn token_from<F, Asked>(mut self, source: F) -> Self
    where
        F: Fn() -> Asked + Send + Sync + 'static,
        Asked: Future<Output = Option<String>> + Send + 'static,
    {
        self.token = Arc::new(move || source().boxed());
        self
    }

    /// What the hub calls this provider to its user.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    #[must_use]
    pub fn version(mut self, version: impl Into<String>) -> Self {
        self.version = Some(version.into());
        self
    }

    /// By this the hub knows that it is the same provider that dials again; by default it is drawn
    /// by chance. Whoever connects with it takes the place of whoever did before.
    #[must_use]
    pub fn instance_id(mut self, instance: impl Into<String>) -> Self {
        self.instance = instance.into();
        self
    }

    #[must_use]
    pub fn tool(mut self, tool: Tool) -> Self {
        self.tools.push(tool);
        self
    }

    #[must_use]
    pub fn tools(mut self, tools: impl IntoIterator<Item = Tool>) -> Self {
        self.tools.extend(tools);
        self
    }

    /// Dials until the tools are on offer. A hub that is not there yet is waited for.
    ///
    /// Fails when the hub refuses the token or the tools.
    pub async fn connect(mut self) -> Result<ProviderClient, Refused> {
        let tools = Tools::new(std::mem::take(&mut self.tools))?;
        let (commands, queue) = mpsc::channel(COMMANDS_MAX);
        let (states, mut state) = watch::channel(State::Connecting);
        let mut worker = JoinSet::new();
        worker.spawn(Worker::new(self, tools, queue, states).run());
        let client = ProviderClient { commands, state: state.clone(), worker };
        let is_settled = |state: &State| matches!(state, State::Registered(_) | State::Ended(_));
        let settled = state.wait_for(is_settled).await.map_err(|_gone| Refused::Closed)?.clone();
        match settled {
            State::Ended(refused) => Err(refused),
            _ => Ok(client),
        }
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder").field("endpoint", &self.endpoint.as_str()).finish_non_exhaustive()
    }
}

/// The WebSocket endpoint of the hub at `url`.
fn endpoint(hub: &str) -> Result<Url, Refused> {
    let refused = |why: &str| Refused::Url(hub.into(), why.into());
    let mut url = Url::parse(hub).map_err(|error| refused(&error.to_string()))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(Refused::Url("it".into(), "a name or token is no part of a URL".into()));
    }
    let scheme = match url.scheme() {
        "http" | "ws" => "ws",
        "https" | "wss" => "wss",
        _ => return Err(refused("it begins with http://, https://, ws:// or wss://")),
    };
    url.set_scheme(scheme).map_err(|()| refused("it has no host"))?;
    let path = url.path().trim_end_matches('/');
    let path =
        path.strip_suffix("/mcp").or_else(|| path.strip_suffix("/clients/ws")).unwrap_or(path);
    url.set_path(&format!("{path}/clients/ws"));
    url.set_query(None);
    url.set_fragment(None);
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_endpoint_is_found() {
        let check = |hub: &str, url| assert_eq!(endpoint(hub).unwrap().as_str(), url, "{hub}");
        for end in ["", "/", "/mcp", "/mcp/", "/clients/ws"] {
            check(&format!("http://127.0.0.1:8080{end}"), "ws://127.0.0.1:8080/clients/ws");
            check(&format!("https://example.com/hub{end}"), "wss://example.com/hub/clients/ws");
        }
        check("wss://example.com", "wss://example.com/clients/ws");
        for bad in ["127.0.0.1:8080", "ftp://example.com", "", "http://a:b@example.com"] {
            endpoint(bad).unwrap_err();
        }
        let told = endpoint("http://token:secret@example.com").unwrap_err().to_string();
        assert!(!told.contains("secret"), "{told}");
    }
}
