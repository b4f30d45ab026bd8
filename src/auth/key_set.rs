//! The keys of one issuer at one time.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{jose::Header, key::Key};

/// Keys that one set may have.
const KEYS_MAX: usize = 64;

#[derive(Default)]
pub(super) struct KeySet(Vec<Key>);

/// A JSON Web Key Set (RFC 7517 §5).
#[derive(Deserialize)]
struct Document<'a> {
    #[serde(borrow)]
    keys: Vec<&'a RawValue>,
}

/// Why a text is no key set.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoKeySet {
    #[error("it is no JSON Web Key Set: {0}")]
    Unreadable(#[from] serde_json::Error),
    #[error("it has {0} keys, more than {KEYS_MAX}")]
    TooMany(usize),
}

impl KeySet {
    pub(super) fn of(keys: Vec<Key>) -> Self {
        Self(keys)
    }

    /// Reads a JSON Web Key Set. Keys of kinds or for uses that are none of the hub's are left out
    /// (RFC 7517 §5), shared secrets among them: what everybody can fetch is no secret.
    pub(super) fn parse(json: &[u8]) -> Result<Self, NoKeySet> {
        let document: Document<'_> = serde_json::from_slice(json)?;
        if document.keys.len() > KEYS_MAX {
            return Err(NoKeySet::TooMany(document.keys.len()));
        }
        let usable = document.keys.iter().filter_map(|json| {
            let key = Key::from_jwk(json.get());
            key.inspect_err(|why| tracing::debug!(%why, "a key is left out")).ok()
        });
        Ok(Self(usable.collect()))
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// The keys that a token with `header` may be signed with. One that names none is tried with all of
    /// its algorithm: a forged one costs so many signatures, at a tenth of a millisecond each.
    pub(super) fn fitting(&self, header: &Header) -> impl Iterator<Item = &Key> {
        self.0.iter().filter(|key| key.may_fit(header))
    }

    /// Whether there is the key that `header` names, be it for another algorithm.
    pub(super) fn knows(&self, header: &Header) -> bool {
        header.kid.as_deref().is_some_and(|id| self.0.iter().any(|key| key.is_called(id)))
    }
}

#[cfg(test)]
impl KeySet {
    pub(super) fn algorithms(&self) -> impl Iterator<Item = &'static str> {
        self.0.iter().map(Key::algorithm)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EC: &str = r#""kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0""#;
    const ED: &str =
        r#""kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo""#;

    /// The algorithms of the keys that are taken of a set with these.
    fn taken(keys: &[&str]) -> Vec<&'static str> {
        let json = format!(r#"{{"keys":[{}]}}"#, keys.join(","));
        KeySet::parse(json.as_bytes()).unwrap().algorithms().collect()
    }

    #[test]
    fn usable_keys_are_taken_with_whatever_else_is_said_of_them() {
        // The public keys of RFC 7515 §A.3 and RFC 8037 §A.2.
        for (rest, ec, ed) in [
            ("", true, true),
            (r#","use":"sig","kid":"1","x5c":["AAAA"],"later":{"a":[1]}"#, true, true),
            (r#","key_ops":["verify"]"#, true, true),
            (r#","alg":"ES256""#, true, false),
            (r#","alg":"EdDSA""#, false, true),
            (r#","alg":"Ed25519""#, false, true),
            (r#","alg":"HS256""#, false, false),
            (r#","alg":"none""#, false, false),
            (r#","use":"enc""#, false, false),
            (r#","key_ops":["encrypt"]"#, false, false),
            (r#","d":"AAAA""#, false, false),
            (r#","kid":7"#, false, false),
        ] {
            for (key, is_taken) in [(EC, ec), (ED, ed)] {
                let key = format!("{{{key}{rest}}}");
                assert_eq!(taken(&[&key]).len(), usize::from(is_taken), "{key}");
            }
        }
    }

    #[test]
    fn keys_of_other_kinds_and_broken_ones_are_left_out() {
        let short = format!(r#"{{"kty":"RSA","n":"{}","e":"AQAB"}}"#, "_".repeat(171));
        for key in [
            r#"{"kty":"oct","k":"c2VjcmV0IHNlY3JldCBzZWNyZXQgc2VjcmV0IHNlY3JldA","alg":"HS256"}"#,
            r#"{"kty":"RSA","n":"AQAB","e":"AQAB"}"#,
            r#"{"kty":"RSA","e":"AQAB"}"#,
            &short,
            r#"{"kty":"EC","crv":"P-256","x":"AAAA","y":"AAAA"}"#,
            r#"{"kty":"EC","crv":"secp256k1","x":"AAAA","y":"AAAA"}"#,
            r#"{"kty":"OKP","crv":"X25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#,
            r#"{"kty":"OKP","crv":"Ed25519","x":"11qY"}"#,
            r#"{"kty":"new"}"#,
            "{}",
            "5",
        ] {
            assert_eq!(taken(&[key, &format!("{{{ED}}}")]), ["EdDSA"], "{key}");
        }
    }

    #[test]
    fn what_is_no_set_is_refused_as_a_whole() {
        for text in ["", "null", "[]", "{}", r#"{"keys":{}}"#, r#"{"keys":["#, "<html>"] {
            let refused = KeySet::parse(text.as_bytes());
            assert!(matches!(refused, Err(NoKeySet::Unreadable(_))), "{text}");
        }
        let of = |count: usize| {
            let text = format!(r#"{{"keys":[{}]}}"#, vec!["{}"; count].join(","));
            KeySet::parse(text.as_bytes())
        };
        assert!(of(KEYS_MAX - 1).is_ok() && of(KEYS_MAX).is_ok());
        assert!(matches!(of(KEYS_MAX + 1), Err(NoKeySet::TooMany(65))));
        assert_eq!(KeySet::parse(br#"{"keys":[]}"#).unwrap().len(), 0);
    }
}
