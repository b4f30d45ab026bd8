//! What a client can be asked while its call runs, by what it said of itself.

use std::{borrow::Cow, collections::BTreeMap};

use serde::Deserialize;
use serde_json::{Map, Value, json, value::RawValue};

use crate::model::json;

/// What a call's client said that it can do.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Abilities {
    elicitation: Elicitation,
    sampling: bool,
    roots: bool,
}

/// The ways in which a person can be asked something.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Elicitation {
    forms: bool,
    urls: bool,
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
            sampling: Option<&'a RawValue>,
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
        let said = capabilities.and_then(|text| serde_json::from_str::<Said<'_>>(text).ok());
        let said = said.unwrap_or_default();
        let modes = said.elicitation.as_ref();
        let elicitation = Elicitation {
            forms: modes.is_some_and(|modes| modes.form.is_some() || modes.url.is_none()),
            urls: modes.is_some_and(|modes| modes.url.is_some()),
        };
        Self { elicitation, sampling: said.sampling.is_some(), roots: said.roots.is_some() }
    }

    /// Whether a question can be put to the client.
    pub(crate) fn allow(self, method: &str, params: Option<&str>) -> bool {
        match method {
            "elicitation/create" if leads_to_a_page(params) => self.elicitation.urls,
            "elicitation/create" => self.elicitation.forms,
            "sampling/createMessage" => self.sampling,
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
                "sampling/createMessage" => drop(missing.insert("sampling".into(), json!({}))),
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
                able.allow("roots/list", None),
                able.allow("tools/list", None),
            ]
        };
        assert_eq!(able("{}"), [false; 5]);
        assert_eq!(able("[1]"), [false; 5]);
        assert_eq!(able(r#"{"elicitation":{}}"#), [true, false, false, false, false]);
        assert_eq!(able(r#"{"elicitation":{"url":{}}}"#), [false, true, false, false, false]);
        let all =
            r#"{"elicitation":{"form":{},"url":{}},"sampling":{},"roots":{"listChanged":true}}"#;
        assert_eq!(able(all), [true, true, true, true, false]);
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
    }
}
