//! What a client can be asked while its call runs.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::model::json::Json;

/// What a call's client said that it can do.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Abilities {
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
    /// Reads `clientCapabilities`. An empty `elicitation` means forms (2025-11-25 and later).
    pub(super) fn read(capabilities: Option<&RawValue>) -> Self {
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
        let said = capabilities.and_then(|raw| serde_json::from_str::<Said<'_>>(raw.get()).ok());
        let said = said.unwrap_or_default();
        let modes = said.elicitation.as_ref();
        let elicitation = Elicitation {
            forms: modes.is_some_and(|modes| modes.form.is_some() || modes.url.is_none()),
            urls: modes.is_some_and(|modes| modes.url.is_some()),
        };
        Self { elicitation, sampling: said.sampling.is_some(), roots: said.roots.is_some() }
    }

    /// Whether a server's question can be put to the client.
    pub(super) fn allow(self, method: &str, params: Option<&Json>) -> bool {
        #[derive(Deserialize)]
        struct Mode {
            mode: Option<String>,
        }
        match method {
            "elicitation/create" => {
                let said = params.and_then(|p| serde_json::from_str::<Mode>(p.as_str()).ok());
                match said.and_then(|said| said.mode).as_deref() {
                    Some("url") => self.elicitation.urls,
                    _ => self.elicitation.forms,
                }
            }
            "sampling/createMessage" => self.sampling,
            "roots/list" => self.roots,
            _ => false,
        }
    }
}

/// Whether `method` is one by which a server asks the client something.
pub(super) fn is_question(method: &str) -> bool {
    matches!(method, "elicitation/create" | "sampling/createMessage" | "roots/list")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_client_can_do_is_asked_of_it() {
        let able = |capabilities: &str| {
            let raw = RawValue::from_string(capabilities.to_owned()).unwrap();
            let able = Abilities::read(Some(&raw));
            let url = Json::from(r#"{"mode":"url","message":"?"}"#.to_owned());
            let form = Json::from(r#"{"message":"?"}"#.to_owned());
            [
                able.allow("elicitation/create", Some(&form)),
                able.allow("elicitation/create", Some(&url)),
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
}
