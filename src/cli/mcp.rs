//! A small MCP client of the 2026-07-28 revision: lists tools and calls them, nothing more.

use std::time::Duration;

use reqwest::{
    Url,
    header::{ACCEPT, AUTHORIZATION, HeaderMap, HeaderValue},
    redirect::Policy,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json, value::RawValue};

use super::{
    HubArgs,
    answer::{self, Notice},
    failure::{Failure, HEADER_MISMATCH},
};
use crate::{
    bridge::{headers, http::is_here},
    client::era::MODERN,
};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// A hub that never ends its list is broken; this is far beyond any that is not.
const PAGES_MAX: usize = 1000;

pub(super) struct Client {
    http: reqwest::Client,
    url: Url,
    token: Option<HeaderValue>,
    last_id: u64,
}

/// The address of the MCP endpoint, for a hub given with or without it.
pub(super) fn endpoint(hub: &str) -> Result<Url, String> {
    let expected = "expected http://HOST:PORT or https://HOST";
    let mut url = Url::parse(hub).map_err(|error| format!("{error}; {expected}"))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(expected.to_owned());
    }
    let path = url.path().trim_end_matches('/');
    let path = if path.ends_with("/mcp") { path.to_owned() } else { format!("{path}/mcp") };
    url.set_path(&path);
    Ok(url)
}

impl Client {
    pub(super) fn new(hub: &HubArgs) -> Result<Self, Failure> {
        let bearer = |token: &String| {
            let mut value =
                HeaderValue::try_from(format!("Bearer {}", token.trim())).map_err(|_invalid| {
                    Failure::Usage("the token has characters no token has".into())
                })?;
            value.set_sensitive(true);
            Ok::<_, Failure>(value)
        };
        let mut http = reqwest::Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            // A token is shown to the hub that was named, not to wherever that one points.
            .redirect(Policy::none());
        if is_here(&hub.url) {
            http = http.no_proxy();
        }
        Ok(Self {
            http: http.build().map_err(|error| Failure::transport(&hub.url, error))?,
            url: hub.url.clone(),
            token: hub.token.as_ref().filter(|token| !token.is_empty()).map(bearer).transpose()?,
            last_id: 0,
        })
    }

    /// All tools, page after page, each as the hub sent it.
    pub(super) async fn tools(&mut self) -> Result<Vec<Box<RawValue>>, Failure> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Page {
            tools: Vec<Box<RawValue>>,
            next_cursor: Option<String>,
        }
        let mut tools = Vec::new();
        let mut cursor = None;
        for _ in 0..PAGES_MAX {
            let params = Params { cursor: cursor.as_deref(), ..Params::default() };
            let headers = HeaderMap::new();
            let result = self.request("tools/list", params, headers, &mut |_| {}).await?;
            let page: Page = serde_json::from_str(result.get())
                .map_err(|error| self.not_a_hub(format!("its list of tools is faulty: {error}")))?;
            tools.extend(page.tools);
            cursor = page.next_cursor;
            if cursor.is_none() {
                return Ok(tools);
            }
        }
        Err(self.not_a_hub(format!("its list of tools has no end after {PAGES_MAX} pages")))
    }

    /// Calls a tool and hands on what is heard meanwhile. Dropping the future cancels the call.
    pub(super) async fn call(
        &mut self,
        tool: &str,
        arguments: &RawValue,
        hear: &mut (dyn FnMut(Notice) + Send),
    ) -> Result<Box<RawValue>, Failure> {
        let params =
            || Params { name: Some(tool), arguments: Some(arguments), ..Params::default() };
        match self.request("tools/call", params(), HeaderMap::new(), hear).await {
            // The tool wants arguments repeated as headers. Few do, so only now is it asked which.
            Err(Failure::Rpc(error)) if error.code == HEADER_MISMATCH => {
                let headers = self.headers_for(tool, arguments).await?;
                if headers.is_empty() {
                    return Err(Failure::Rpc(error));
                }
                self.request("tools/call", params(), headers, hear).await
            }
            answer => answer,
        }
    }

    async fn headers_for(
        &mut self,
        tool: &str,
        arguments: &RawValue,
    ) -> Result<HeaderMap, Failure> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Tool<'a> {
            name: String,
            #[serde(borrow)]
            input_schema: &'a RawValue,
        }
        let tools = self.tools().await?;
        let found = tools
            .iter()
            .filter_map(|tool| serde_json::from_str::<Tool<'_>>(tool.get()).ok())
            .find(|candidate| candidate.name == tool);
        Ok(found
            .map(|tool| headers::of_arguments(tool.input_schema, arguments))
            .unwrap_or_default())
    }

    async fn request(
        &mut self,
        method: &'static str,
        mut params: Params<'_>,
        mut headers: HeaderMap,
        hear: &mut (dyn FnMut(Notice) + Send),
    ) -> Result<Box<RawValue>, Failure> {
        self.last_id += 1;
        let id = self.last_id;
        params.meta = meta(params.name.map(|_| id));
        headers.insert("mcp-protocol-version", HeaderValue::from_static(MODERN));
        headers.insert("mcp-method", HeaderValue::from_static(method));
        if let Some(name) = params.name {
            headers.insert("mcp-name", headers::encode(name));
        }
        if let Some(token) = &self.token {
            headers.insert(AUTHORIZATION, token.clone());
        }
        headers.insert(ACCEPT, HeaderValue::from_static("application/json, text/event-stream"));
        let body = Request { jsonrpc: "2.0", id, method, params };
        let request = self.http.post(self.url.clone()).headers(headers).json(&body);
        let response =
            request.send().await.map_err(|error| Failure::transport(&self.url, error))?;
        answer::read(response, id, self.token.is_some(), hear).await
    }

    fn not_a_hub(&self, what: String) -> Failure {
        Failure::NotAHub { url: self.url.clone(), what }
    }
}

#[derive(Serialize)]
struct Request<'a> {
    jsonrpc: &'static str,
    id: u64,
    method: &'static str,
    params: Params<'a>,
}

#[derive(Default, Serialize)]
struct Params<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    arguments: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cursor: Option<&'a str>,
    #[serde(rename = "_meta")]
    meta: Value,
}

fn meta(progress_token: Option<u64>) -> Value {
    let mut meta = json!({
        "io.modelcontextprotocol/protocolVersion": MODERN,
        // Nothing can be answered here, but a tool that may ask says what it is missing.
        "io.modelcontextprotocol/clientCapabilities": { "elicitation": { "form": {}, "url": {} } },
        "io.modelcontextprotocol/clientInfo":
            { "name": env!("CARGO_PKG_NAME"), "version": env!("CARGO_PKG_VERSION") },
    });
    if let Some(token) = progress_token {
        meta["progressToken"] = token.into();
        meta["io.modelcontextprotocol/logLevel"] = "info".into();
    }
    meta
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hub_may_be_given_with_or_without_its_endpoint() {
        let check = |hub, url| assert_eq!(endpoint(hub).unwrap().as_str(), url);
        check("http://127.0.0.1:8080", "http://127.0.0.1:8080/mcp");
        check("http://127.0.0.1:8080/", "http://127.0.0.1:8080/mcp");
        check("http://127.0.0.1:8080/mcp", "http://127.0.0.1:8080/mcp");
        check("https://example.com/hub/", "https://example.com/hub/mcp");
        check("https://example.com/hub/mcp/", "https://example.com/hub/mcp");
        assert!(endpoint("127.0.0.1:8080").is_err());
        assert!(endpoint("ws://127.0.0.1:8080").is_err());
    }

    #[test]
    fn no_proxy_stands_between_a_machine_and_itself() {
        let check = |hub, here| assert_eq!(is_here(&endpoint(hub).unwrap()), here, "{hub}");
        check("http://127.0.0.1:8080", true);
        check("http://[::1]:8080", true);
        check("http://localhost:8080", true);
        check("http://hub.example.com", false);
    }
}
