//! Seals what a client carries from one round of questions to the next, so that the retry reaches
//! the provider that asked and nobody else's.

use std::{
    collections::{HashMap, VecDeque},
    time::Duration,
};

use aws_lc_rs::{
    aead::{self, AES_256_GCM, Aad, RandomizedNonceKey},
    hkdf,
};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::provider::Identity;
use crate::model::{
    call::{Output, OutputKind},
    clock::UnixTime,
    error::CallError,
    id::UserId,
    json::Json,
};

/// How long a person may take to answer.
const VALID_FOR: Duration = Duration::from_secs(60 * 60);
const NONCE_BYTES: usize = 12;

/// States of one user that are remembered as used. With more in an hour, the oldest of those not
/// used yet expire early.
const USED_PER_USER_MAX: usize = 4_096;

/// Seals and opens request states with a key of this hub.
pub(crate) struct Seal {
    key: RandomizedNonceKey,
    used: Mutex<HashMap<UserId, Used>>,
}

type Nonce = [u8; NONCE_BYTES];

/// The states a user has brought back: each is good for one retry.
#[derive(Default)]
struct Used {
    /// In the order they were brought, with when they expire.
    states: VecDeque<(Nonce, UnixTime)>,
    /// States that expire up to then count as used, for some of them were and are forgotten.
    floor: UnixTime,
}

/// A state that was opened, and is used up by that.
#[derive(Debug)]
pub(crate) struct Opened {
    pub resumption: Resumption,
    nonce: Nonce,
}

/// The provider that asked, and what it wants to be told again.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Resumption {
    pub instance: String,
    pub provider: String,
    /// The provider's own `requestState`, if it gave one.
    pub state: Option<Box<RawValue>>,
    expires: u64,
}

impl Seal {
    /// With the same `secret` another process opens what this one sealed; without one, only this
    /// process does.
    pub(crate) fn new(secret: Option<&[u8]>) -> Self {
        let mut key = [0; 32];
        match secret {
            Some(secret) => hkdf::Salt::new(hkdf::HKDF_SHA256, b"mcp-hub")
                .extract(secret)
                .expand(&[b"request state"], hkdf::HKDF_SHA256)
                .and_then(|derived| derived.fill(&mut key)),
            None => aws_lc_rs::rand::fill(&mut key),
        }
        .expect("32 bytes can be derived or drawn");
        let key = RandomizedNonceKey::new(&AES_256_GCM, &key).expect("the key has 32 bytes");
        Self { key, used: Mutex::default() }
    }

    /// Puts a sealed state in the place of the provider's own, if `output` asks for input.
    pub(crate) fn close(
        &self,
        output: Output,
        from: &Identity,
        user: &UserId,
        tool: &str,
        now: UnixTime,
    ) -> Output {
        if output.kind != OutputKind::InputRequired {
            return output;
        }
        let state = output.request_state.as_ref().map(|span| {
            serde_json::from_str(output.part(span)).expect("a part of parsed JSON is JSON")
        });
        let resumption = Resumption {
            instance: from.instance.as_str().to_owned(),
            provider: from.name.clone().into(),
            state,
            expires: now.after(VALID_FOR).0,
        };
        let sealed = self.seal(&resumption, user, tool);
        let text = output.json.as_str();
        let json = match &output.request_state {
            Some(span) => format!("{}\"{sealed}\"{}", &text[..span.start], &text[span.end..]),
            None => format!("{{\"requestState\":\"{sealed}\",{}", &text[1..]),
        };
        Output::parse(Json::from(json)).expect("the result was one before its state was sealed")
    }

    fn seal(&self, resumption: &Resumption, user: &UserId, tool: &str) -> String {
        let mut text = serde_json::to_vec(resumption).expect("plain data serialises");
        let nonce = self
            .key
            .seal_in_place_append_tag(bound_to(user, tool), &mut text)
            .expect("a request state is far below the bound of the cipher");
        let mut sealed = nonce.as_ref().to_vec();
        sealed.append(&mut text);
        BASE64_URL_SAFE_NO_PAD.encode(sealed)
    }

    /// Opens what a client brought back for `tool`. It can be opened once: an answer is not to be
    /// replayed, and a tool not to be run by it twice.
    pub(crate) fn open(
        &self,
        sealed: &str,
        user: &UserId,
        tool: &str,
        now: UnixTime,
    ) -> Result<Opened, CallError> {
        let foreign = || CallError::RequestState("not one this hub gave out for this tool");
        let mut sealed = BASE64_URL_SAFE_NO_PAD.decode(sealed).ok().ok_or_else(foreign)?;
        let (nonce, text) = sealed.split_first_chunk_mut::<NONCE_BYTES>().ok_or_else(foreign)?;
        let nonce = *nonce;
        let text = self.key.open_in_place(
            aead::Nonce::assume_unique_for_key(nonce),
            bound_to(user, tool),
            text,
        );
        let text = text.ok().ok_or_else(foreign)?;
        let resumption: Resumption = serde_json::from_slice(text).ok().ok_or_else(foreign)?;
        if now.0 >= resumption.expires {
            return Err(CallError::RequestState("too old; call the tool again without it"));
        }
        let mut used = self.used.lock();
        if used.entry(user.clone()).or_default().take(nonce, UnixTime(resumption.expires), now) {
            Ok(Opened { resumption, nonce })
        } else {
            Err(CallError::RequestState("used already; call the tool again without it"))
        }
    }

    /// The retry with this state reached nobody: it may be made again.
    pub(super) fn give_back(&self, nonce: Nonce, user: &UserId) {
        if let Some(used) = self.used.lock().get_mut(user) {
            used.states.retain(|(used, _)| *used != nonce);
        }
    }

    /// Forgets states that have expired.
    pub(super) fn forget(&self, now: UnixTime) {
        self.used.lock().retain(|_, used| {
            used.states.retain(|(_, expires)| *expires > now);
            !used.states.is_empty() || used.floor > now
        });
    }
}

impl Opened {
    pub(super) fn nonce(&self) -> Nonce {
        self.nonce
    }
}

impl Used {
    /// Whether the state is used now for the first time.
    fn take(&mut self, nonce: Nonce, expires: UnixTime, now: UnixTime) -> bool {
        while self.states.front().is_some_and(|(_, expires)| *expires <= now) {
            self.states.pop_front();
        }
        if expires <= self.floor || self.states.iter().any(|(used, _)| *used == nonce) {
            return false;
        }
        if self.states.len() >= USED_PER_USER_MAX
            && let Some((_, expires)) = self.states.pop_front()
        {
            self.floor = self.floor.max(expires);
        }
        self.states.push_back((nonce, expires));
        true
    }
}

/// What a state is good for; another user or tool cannot use it.
fn bound_to(user: &UserId, tool: &str) -> Aad<Vec<u8>> {
    // A subject holds no control characters, so the separator is one.
    Aad::from([user.as_str().as_bytes(), b"\0", tool.as_bytes()].concat())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        hub::provider::Kind,
        model::id::{InstanceId, ProviderId},
    };

    const NOW: UnixTime = UnixTime(1_000_000);

    fn close(seal: &Seal, json: &str) -> Output {
        let from = Identity {
            id: ProviderId::random(),
            name: "asker".into(),
            version: None,
            instance: InstanceId::parse("i-1").unwrap(),
            kind: Kind::Remote,
        };
        let output = Output::parse(Json::from(json.to_owned())).unwrap();
        seal.close(output, &from, &alice(), "ask", NOW)
    }

    fn alice() -> UserId {
        UserId::parse("alice").unwrap()
    }

    fn sealed_in(output: &Output) -> String {
        serde_json::from_str(output.part(output.request_state.as_ref().unwrap())).unwrap()
    }

    #[test]
    fn a_state_comes_back_as_the_provider_gave_it() {
        let seal = Seal::new(None);
        let output =
            close(&seal, r#"{"resultType":"input_required", "requestState": "s\u0031" ,"x":1}"#);
        let json = output.json.as_str();
        assert!(json.starts_with(r#"{"resultType":"input_required", "requestState": ""#), "{json}");
        assert!(json.ends_with(r#"" ,"x":1}"#), "{json}");
        let opened = seal.open(&sealed_in(&output), &alice(), "ask", NOW).unwrap().resumption;
        assert_eq!((opened.instance.as_str(), opened.provider.as_str()), ("i-1", "asker"));
        assert_eq!(opened.state.unwrap().get(), r#""s\u0031""#);
    }

    #[test]
    fn questions_without_a_state_get_one_that_leads_back() {
        let seal = Seal::new(None);
        let output = close(&seal, r#"{"resultType":"input_required","inputRequests":{}}"#);
        let opened = seal.open(&sealed_in(&output), &alice(), "ask", NOW).unwrap().resumption;
        assert!(opened.state.is_none());
    }

    #[test]
    fn foreign_tampered_and_old_states_are_refused() {
        let seal = Seal::new(Some(b"secret"));
        let output = close(&seal, r#"{"resultType":"input_required","requestState":"s"}"#);
        let state = sealed_in(&output);
        let refused = |seal: &Seal, state: &str, user: &str, tool: &str, now| {
            let user = UserId::parse(user).unwrap();
            seal.open(state, &user, tool, now).unwrap_err().to_string()
        };
        let foreign = "the request state is not one this hub gave out for this tool";
        assert_eq!(refused(&seal, &state, "bob", "ask", NOW), foreign);
        assert_eq!(refused(&seal, &state, "alice", "other", NOW), foreign);
        assert_eq!(refused(&Seal::new(None), &state, "alice", "ask", NOW), foreign);
        assert_eq!(refused(&seal, "", "alice", "ask", NOW), foreign);
        assert_eq!(refused(&seal, "%%%", "alice", "ask", NOW), foreign);
        for at in 0..state.len() {
            let mut tampered = state.clone().into_bytes();
            tampered[at] = if tampered[at] == b'A' { b'B' } else { b'A' };
            let tampered = String::from_utf8(tampered).unwrap();
            assert_eq!(refused(&seal, &tampered, "alice", "ask", NOW), foreign, "byte {at}");
        }
        let later = NOW.after(VALID_FOR);
        assert!(refused(&seal, &state, "alice", "ask", later).contains("too old"));
        let twin = Seal::new(Some(b"secret"));
        twin.open(&state, &alice(), "ask", NOW).expect("the same secret opens it");
    }

    #[test]
    fn a_state_is_good_for_one_retry_that_reaches_somebody() {
        let seal = Seal::new(None);
        let output = close(&seal, r#"{"resultType":"input_required","requestState":"s"}"#);
        let open = || seal.open(&sealed_in(&output), &alice(), "ask", NOW);
        let nonce = open().unwrap().nonce();
        assert!(open().unwrap_err().to_string().contains("used already"));
        seal.give_back(nonce, &alice());
        open().unwrap();
        seal.forget(NOW.after(VALID_FOR));
        assert!(seal.used.lock().is_empty());
    }

    #[test]
    fn what_is_forgotten_cannot_be_replayed() {
        let mut used = Used::default();
        let nonce = |n: u64| {
            let mut nonce = [0; NONCE_BYTES];
            nonce[..8].copy_from_slice(&n.to_be_bytes());
            nonce
        };
        let last = USED_PER_USER_MAX as u64;
        for n in 0..=last {
            assert!(used.take(nonce(n), UnixTime(n + 10), UnixTime(0)));
        }
        assert!(!used.take(nonce(0), UnixTime(10), UnixTime(0)), "the one that was displaced");
        assert!(!used.take(nonce(last), UnixTime(last + 10), UnixTime(0)));
        assert_eq!(used.states.len(), USED_PER_USER_MAX);
    }
}
