//! What a client can be asked while its call runs, by what it said of itself.

use std::{borrow::Cow, collections::BTreeMap};

use serde::Deserialize;
use serde_json::{Map, Value, json, value::RawValue};

use crate::model::json;

/// What a call's client said that it can do.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Abilities {
    elicitation: Elicitation,
    sampling: Sampling,
    roots: bool,
}

/// The ways in which a person can be asked something.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Elicitation {
    forms: bool,
    urls: bool,
}

/// Whether a model can be asked, and whether it can be given tools.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Sampling {
    plain: bool,
    tools: bool,
}

impl Abilities {
    /// Reads `clientCapabilities`, a JSON object. An empty `elicitation` means forms.
    pub(crate) fn read(capabilities: Option<&str>) -> Self {
        #[derive(Default, Deserialize)]
        #[serde(default)]
        struct Said<'a> {
            #[serde(borrow)]
            elicitation: Option<Modes<'a>>,
            #[serde(borrow)]
            sampling: Option<Extras<'a>>,
            #[serde(borrow)]
            roots: Option<&'a RawValue>,
        }
        #[derive(Default, Deserialize)]
        #[serde(default)]
        struct Modes<'a> {
            #[serde(borrow)]
            form: Option<&'a RawValue>,
            #[serde(borrow)]
            url: Option<&'a RawValue>,
        }
        #[derive(Default, Deserialize)]
        #[serde(default)]
        struct Extras<'a> {
            #[serde(borrow)]
            tools: Option<&'a RawValue>,
        }
        let said = capabilities.and_then(|text| serde_json::from_str::<Said<'_>>(text).ok());
        let said = said.unwrap_or_default();
        let modes = said.elicitation.as_ref();
        let elicitation = Elicitation {
            forms: modes.is_some_and(|modes| modes.form.is_some() || modes.url.is_none()),
            urls: modes.is_some_and(|modes| modes.url.is_some()),
        };
        let sampling = Sampling {
            plain: said.sampling.is_some(),
            tools: said.sampling.is_some_and(|extras| extras.tools.is_some()),
        };
        Self { elicitation, sampling, roots: said.roots.is_some() }
    }

    /// Whether a question can be put to the client.
    pub(crate) fn allow(self, method: &str, params: Option<&str>) -> bool {
        match method {
            "elicitation/create" if leads_to_a_page(params) => self.elicitation.urls,
            "elicitation/create" => self.elicitation.forms,
            "sampling/createMessage" if brings_tools(params) => self.sampling.tools,
            "sampling/createMessage" => self.sampling.plain,
            "roots/list" => self.roots,
            _ => false,
        }
    }

    /// What the client would have to be able to do besides to be asked all of `requests`, the
    /// `inputRequests` of a result; `None` when it can be.
    pub(crate) fn missing_for(self, requests: &str) -> Option<Value> {
        let requests: BTreeMap<Cow<'_, str>, &RawValue> = serde_json::from_str(requests).ok()?;
        let requests =
            requests.values().filter_map(|request| InputRequest::read(request.get()).ok());
        let mut missing = Map::new();
        for InputRequest { method, params } in requests {
            let params = params.map(RawValue::get);
            if !is_question(&method) || self.allow(&method, params) {
                continue;
            }
            match &*method {
                "elicitation/create" => {
                    let mode = if leads_to_a_page(params) { "url" } else { "form" };
                    let modes = missing.entry("elicitation").or_insert_with(|| json!({}));
                    modes[mode] = json!({});
                }
                "sampling/createMessage" => {
                    let extras = missing.entry("sampling").or_insert_with(|| json!({}));
                    if brings_tools(params) {
                        extras["tools"] = json!({});
                    }
                }
                _ => drop(missing.insert("roots".into(), json!({}))),
            }
        }
        (!missing.is_empty()).then_some(Value::Object(missing))
    }
}

/// One of the `inputRequests` of a result: what its client is asked.
#[derive(Deserialize)]
pub(super) struct InputRequest<'a> {
    #[serde(borrow)]
    pub method: Cow<'a, str>,
    #[serde(borrow)]
    pub params: Option<&'a RawValue>,
}

impl<'a> InputRequest<'a> {
    pub(super) fn read(request: &'a str) -> serde_json::Result<Self> {
        json::object(request)
    }
}

/// Whether an elicitation with `params` is to send somebody to a page, rather than to show a form.
pub(super) fn leads_to_a_page(params: Option<&str>) -> bool {
    #[derive(Deserialize)]
    struct Elicitation<'a> {
        #[serde(borrow)]
        mode: Option<Cow<'a, str>>,
    }
    let said = params.and_then(|text| serde_json::from_str::<Elicitation<'_>>(text).ok());
    said.and_then(|said| said.mode).as_deref() == Some("url")
}

/// Whether a model asked with `params` is given tools, which it can only take where its client has
/// declared `sampling.tools` (MCP 2025-11-25 and later, sampling, Capabilities).
fn brings_tools(params: Option<&str>) -> bool {
    #[derive(Default, Deserialize)]
    #[serde(default, rename_all = "camelCase")]
    struct Sampling<'a> {
        #[serde(borrow)]
        tools: Option<&'a RawValue>,
        #[serde(borrow)]
        tool_choice: Option<&'a RawValue>,
    }
    let said = params.and_then(|text| serde_json::from_str::<Sampling<'_>>(text).ok());
    said.is_some_and(|said| said.tools.is_some() || said.tool_choice.is_some())
}

/// Whether `method` is one by which a server asks the client something.
pub(crate) fn is_question(method: &str) -> bool {
    matches!(method, "elicitation/create" | "sampling/createMessage" | "roots/list")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_client_can_do_is_asked_of_it() {
        let able = |capabilities: &str| {
            let able = Abilities::read(Some(capabilities));
            let (url, form) = (r#"{"mode":"url","message":"?"}"#, r#"{"message":"?"}"#);
            [
                able.allow("elicitation/create", Some(form)),
                able.allow("elicitation/create", Some(url)),
                able.allow("sampling/createMessage", None),
                able.allow("sampling/createMessage", Some(r#"{"tools":[],"maxTokens":1}"#)),
                able.allow("sampling/createMessage", Some(r#"{"toolChoice":{"mode":"auto"}}"#)),
                able.allow("sampling/createMessage", Some(r#"{"tools":null}"#)),
                able.allow("roots/list", None),
                able.allow("tools/list", None),
            ]
        };
        for (said, expected) in [
            ("{}", "--------"),
            ("[1]", "--------"),
            (r#"{"elicitation":{}}"#, "f-------"),
            (r#"{"elicitation":{"url":{}}}"#, "-u------"),
            (r#"{"sampling":{}}"#, "--s--s--"),
            (r#"{"sampling":{"context":{},"tools":null}}"#, "--s--s--"),
            (r#"{"sampling":{"tools":{}}}"#, "--stts--"),
            (
                r#"{"elicitation":{"form":{},"url":{}},"sampling":{"tools":{}},"roots":{}}"#,
                "fusttsr-",
            ),
        ] {
            let expected: Vec<_> = expected.chars().map(|letter| letter != '-').collect();
            assert_eq!(able(said).to_vec(), expected, "{said}");
        }
        assert_eq!(Abilities::read(None), Abilities::default());
    }

    #[test]
    fn what_is_missing_is_told_whatever_else_is_asked() {
        let missing = |requests: &str| Abilities::default().missing_for(requests);
        let page = r#"{"method":"elicitation/create","params":{"mode":"\u0075rl"}}"#;
        assert_eq!(
            missing(&format!(r#"{{"a":7,"b":["roots/list"],"c":{page}}}"#)),
            Some(json!({ "elicitation": { "url": {} } }))
        );
        assert_eq!(missing(r#"{"a":{"method":"tools/list"}}"#), None);
        let plain = r#"{"method":"sampling/createMessage","params":{"tools":null}}"#;
        let tools = r#"{"method":"sampling/createMessage","params":{"tools":[]}}"#;
        assert_eq!(missing(&format!(r#"{{"a":{plain}}}"#)), Some(json!({ "sampling": {} })));
        for both in [[plain, tools], [tools, plain]] {
            let [a, b] = both;
            let asked = format!(r#"{{"a":{a},"b":{b}}}"#);
            assert_eq!(missing(&asked), Some(json!({ "sampling": { "tools": {} } })));
        }
        let models = Abilities::read(Some(r#"{"sampling":{}}"#));
        let asked = format!(r#"{{"a":{plain},"b":{tools}}}"#);
        assert_eq!(models.missing_for(&asked), Some(json!({ "sampling": { "tools": {} } })));
    }
}
