//! What a token says of itself before anything is believed: which key it claims to be signed with.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde::{Deserialize, de::IgnoredAny};

use super::denial::Reason;

/// The longest token that is looked at, in bytes. Those of big directories, with every group of a
/// person in them, have about 8 KiB.
const TOKEN_BYTES_MAX: usize = 16 * 1024;

/// Kinds of tokens that let somebody in (RFC 8725 §3.11, RFC 9068 §2.1); those of another kind, such
/// as `logout+jwt`, are signed with the same keys and mean something else.
const KINDS: [&str; 2] = ["jwt", "at+jwt"];

/// The algorithms of keys with a public half (RFC 7518 §3.1, RFC 8037 §3.1) that are taken.
const KEY_PAIRS: [&str; 3] = ["RS256", "ES256", "EdDSA"];

/// The members of a JOSE header that count (RFC 7515 §4). Others, such as `jwk`, `jku`, `x5u` and
/// `x5c`, would let a token bring its own key: nobody reads them.
#[derive(Debug, Deserialize)]
pub(super) struct Header {
    #[serde(default)]
    pub kid: Option<String>,
    alg: String,
    #[serde(default)]
    typ: Option<String>,
    #[serde(default)]
    crit: Option<IgnoredAny>,
}

/// The claim that tells whose keys to take; believed only once one of them fits.
#[derive(Deserialize)]
struct Origin {
    iss: Option<String>,
}

impl Header {
    pub(super) fn read(token: &str) -> Result<Self, Reason> {
        let header: Self = part(token, 0)?;
        // RFC 7515 §4.1.11: what is critical must be understood, and none of it is.
        if header.crit.is_some() {
            return Err(Reason::bad("its `crit` names what this hub does not understand"));
        }
        let is_usual = header.typ.as_ref().is_none_or(|typ| {
            let typ = typ.to_ascii_lowercase();
            KINDS.contains(&typ.strip_prefix("application/").unwrap_or(&typ))
        });
        if is_usual { Ok(header) } else { Err(Reason::bad("its `typ` is not that of a token")) }
    }

    pub(super) fn algorithm(&self) -> &str {
        &self.alg
    }

    /// Whether it is signed with the private half of a key, by an algorithm the hub knows.
    pub(super) fn is_by_key_pair(&self) -> bool {
        KEY_PAIRS.contains(&self.alg.as_str())
    }
}

/// To be asked before anything else is done with `token`.
pub(super) fn has_bounds(token: &str) -> Result<(), Reason> {
    if token.len() <= TOKEN_BYTES_MAX {
        return Ok(());
    }
    Err(Reason::BadToken(format!("it is longer than {TOKEN_BYTES_MAX} bytes")))
}

/// The `iss` that `token` claims.
pub(super) fn claimed_issuer(token: &str) -> Result<Option<String>, Reason> {
    Ok(part::<Origin>(token, 1)?.iss)
}

/// One of the three parts of a token (RFC 7515 §7.1), read.
fn part<T: for<'de> Deserialize<'de>>(token: &str, number: usize) -> Result<T, Reason> {
    let no_token = || Reason::bad("it is no JSON Web Token");
    let encoded = token.split('.').nth(number).ok_or_else(no_token)?;
    let decoded = BASE64_URL_SAFE_NO_PAD.decode(encoded).map_err(|_unreadable| no_token())?;
    serde_json::from_slice(&decoded).map_err(|_unreadable| no_token())
}
