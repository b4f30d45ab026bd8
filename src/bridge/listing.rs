//! The tools of a server as they are offered: listed page by page, chosen, renamed.

use std::{collections::HashSet, sync::Arc};

use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::time::{Duration, timeout};

use super::call::{Callable, Caller, Definition};
use crate::{
    model::{
        error::RpcError,
        json::{self, Json},
    },
    provider_client::{Refused, Tool},
};

/// How long a server may take to list its tools.
const LIST_TIME: Duration = Duration::from_secs(60);
/// A server that never ends its list is broken; this is far beyond any that is not.
const PAGES_MAX: usize = 1000;
/// The same for its length in bytes; a hub takes less.
const LIST_BYTES_MAX: usize = 64 * 1024 * 1024;

/// What a server has, and what of it is put on offer.
pub(super) struct Listing {
    offered: Vec<Offered>,
    /// As they were listed, whatever was left out of them since.
    definitions: Vec<Json>,
}

/// A tool under the name the hub knows it by.
struct Offered {
    name: String,
    tool: Tool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Page<'a> {
    #[serde(borrow)]
    tools: Vec<&'a RawValue>,
    #[serde(borrow)]
    next_cursor: Option<&'a RawValue>,
}

impl Listing {
    /// Lists the tools of `caller`'s server. `choose` gives the name one is to be offered under, or
    /// `None` if it is not.
    ///
    /// Fails with a sentence about the server.
    pub(super) async fn of(
        caller: &Arc<Caller>,
        choose: &(dyn Fn(&str) -> Option<String> + Sync),
    ) -> Result<Self, String> {
        let mut listing = Self { offered: Vec::new(), definitions: Vec::new() };
        let listed = timeout(LIST_TIME, listing.fill(caller, choose)).await;
        listed.unwrap_or_else(|_elapsed| Err("it does not list its tools in time".into()))?;
        Ok(listing)
    }

    async fn fill(
        &mut self,
        caller: &Arc<Caller>,
        choose: &(dyn Fn(&str) -> Option<String> + Sync),
    ) -> Result<(), String> {
        let mut names = HashSet::new();
        let (mut cursor, mut bytes) = (None, 0);
        for _ in 0..PAGES_MAX {
            let Some(text) = page(caller, cursor.as_ref()).await? else { return Ok(()) };
            bytes += text.as_str().len();
            if bytes > LIST_BYTES_MAX {
                return Err(format!("its list of tools has more than {LIST_BYTES_MAX} bytes"));
            }
            let said: Page<'_> = json::object(text.as_str())
                .map_err(|error| format!("its list of tools cannot be read: {error}"))?;
            for raw in said.tools {
                let definition = match json::object::<Definition<'_>>(raw.get()) {
                    Ok(definition) => definition,
                    Err(why) => {
                        tracing::warn!(%why, "a tool is not offered");
                        continue;
                    }
                };
                let Some(name) = choose(&definition.name) else { continue };
                if !names.insert(name.clone()) {
                    tracing::warn!(tool = name, "offered once, although the server has it twice");
                    continue;
                }
                // A copy, for a cut would keep the whole page in memory.
                let json = Json::cut(text.text(), raw).detached();
                self.add(caller, name, &definition, json);
            }
            let next = said.next_cursor.map(|cursor| Json::cut(text.text(), cursor));
            // Some servers end their list with an empty cursor, or give the last one again.
            if next.as_ref().is_none_or(|next| next.as_str() == r#""""#) || next == cursor {
                return Ok(());
            }
            cursor = next;
        }
        Err(format!("its list of tools has no end after {PAGES_MAX} pages"))
    }

    fn add(&mut self, caller: &Arc<Caller>, name: String, is: &Definition<'_>, json: Json) {
        let (caller, callable) = (Arc::clone(caller), Arc::new(Callable::new(is)));
        let json = if name == is.name { json } else { Definition::renamed(&json, &name) };
        let tool = Tool::new(json.clone(), move |call| {
            let (caller, callable) = (Arc::clone(&caller), Arc::clone(&callable));
            async move { caller.call(&callable, call).await }
        });
        self.definitions.push(json);
        self.offered.push(Offered { name, tool });
    }

    pub(super) fn tools(&self) -> impl Iterator<Item = Tool> {
        self.offered.iter().map(|offered| offered.tool.clone())
    }

    /// Whether the server has listed the same tools, in the same words.
    pub(super) fn says_the_same(&self, other: &Self) -> bool {
        self.definitions == other.definitions
    }

    /// Takes those tools out that the hub has named in its refusal.
    ///
    /// Fails with the refusal if that names none.
    pub(super) fn leave_out(&mut self, refused: Refused) -> Result<(), Refused> {
        let Refused::Tools { tools: faulty, .. } = &refused else { return Err(refused) };
        if faulty.is_empty() || faulty.iter().any(|tool| tool.index >= self.offered.len()) {
            return Err(refused);
        }
        let mut index = 0;
        self.offered.retain(|offered| {
            let fault = faulty.iter().find(|tool| tool.index == index);
            index += 1;
            if let Some(fault) = fault {
                tracing::warn!(tool = offered.name, why = fault.reason, "not offered");
            }
            fault.is_none()
        });
        Ok(())
    }
}

/// One page; `None` when the server has no tools at all.
async fn page(caller: &Caller, cursor: Option<&Json>) -> Result<Option<Json>, String> {
    let cursor = cursor.map(|cursor| format!(r#""cursor":{}"#, cursor.as_str()));
    let request = caller.ask("tools/list", cursor).map_err(|error| error.to_string())?;
    match request.answered().await {
        Ok(Ok(page)) => Ok(Some(page)),
        Ok(Err(error)) if error.code == RpcError::METHOD_NOT_FOUND => Ok(None),
        Ok(Err(error)) => Err(format!("it refuses to list its tools: {}", error.message)),
        Err(fault) => Err(fault.reason),
    }
}
