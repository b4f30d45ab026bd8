//! Seals what a client carries from one round of questions to the next, so that the retry reaches
//! the provider that asked and nobody else's.

use std::{
    collections::{BTreeSet, HashMap},
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

/// States of one user that are remembered as used: with what they take, about 2 MiB. With more in
/// an hour, the oldest of those not used yet expire early.
const USED_PER_USER_MAX: usize = 32_768;

/// Seals and opens request states with a key of this hub.
pub(crate) struct Seal {
    key: RandomizedNonceKey,
    used: Mutex<HashMap<UserId, Used>>,
}

type Nonce = [u8; NONCE_BYTES];

/// The states a user has brought back: each is good for one retry.
#[derive(Default)]
struct Used {
    /// Those that expire first come first.
    states: BTreeSet<(UnixTime, Nonce)>,
    /// Of those that expire up to then, some were used and are forgotten.
    floor: UnixTime,
}

/// A state that was opened, and is used up by that.
#[derive(Debug)]
pub(crate) struct Opened {
    pub resumption: Resumption,
    pub(super) used: UsedState,
}

/// Names a state that was used.
#[derive(Debug, Clone, Copy)]
pub(super) struct UsedState {
    expires: UnixTime,
    nonce: Nonce,
}

/// What a state says when it is opened.
#[derive(Serialize, Deserialize)]
struct Sealed {
    resumption: Resumption,
    expires: u64,
}

/// The provider that asked, and what it wants to be told again.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Resumption {
    pub instance: String,
    pub provider: String,
    /// The provider's own `requestState`, if it gave one.
    pub state: Option<Box<RawValue>>,
}

impl Resumption {
    /// Leads back to who gave `output`.
    pub(super) fn of(output: &Output, from: &Identity) -> Self {
        let state = output.request_state.as_ref().map(|span| {
            serde_json::from_str(output.part(span)).expect("a part of parsed JSON is JSON")
        });
        let instance = from.instance.as_str().to_owned();
        Self { instance, provider: from.name.clone().into(), state }
    }
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
        let resumption = Resumption::of(&output, from);
        let sealed = Sealed { resumption, expires: now.after(VALID_FOR).0 };
        let sealed = self.seal(&sealed, user, tool);
        let text = output.json.as_str();
        let json = match &output.request_state {
            Some(span) => format!("{}\"{sealed}\"{}", &text[..span.start], &text[span.end..]),
            None => format!("{{\"requestState\":\"{sealed}\",{}", &text[1..]),
        };
        Output::parse(Json::from(json)).expect("the result was one before its state was sealed")
    }

    fn seal(&self, state: &Sealed, user: &UserId, tool: &str) -> String {
        let mut text = serde_json::to_vec(state).expect("plain data serialises");
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
        let Sealed { resumption, expires } =
            serde_json::from_slice(text).ok().ok_or_else(foreign)?;
        let state = UsedState { expires: UnixTime(expires), nonce };
        self.used.lock().entry(user.clone()).or_default().take(state, now)?;
        Ok(Opened { resumption, used: state })
    }

    /// The retry with this state reached nobody: it may be made again.
    pub(super) fn give_back(&self, state: UsedState, user: &UserId) {
        if let Some(used) = self.used.lock().get_mut(user) {
            used.states.remove(&(state.expires, state.nonce));
        }
    }

    /// Forgets states that have expired.
    pub(super) fn forget(&self, now: UnixTime) {
        self.used.lock().retain(|_, used| {
            used.let_go(now);
            !used.states.is_empty() || used.floor > now
        });
    }
}

impl Used {
    /// Uses the state up, if this is the first time.
    fn take(&mut self, state: UsedState, now: UnixTime) -> Result<(), CallError> {
        let UsedState { expires, nonce } = state;
        let refused = |why| Err(CallError::RequestState(why));
        self.let_go(now);
        if expires <= now {
            return refused("too old; call the tool again without it");
        }
        if expires <= self.floor {
            return refused(
                "older than so many that have been used since that this one may have been, too; \
                 call the tool again without it",
            );
        }
        if !self.states.insert((expires, nonce)) {
            return refused("used already; call the tool again without it");
        }
        if self.states.len() > USED_PER_USER_MAX
            && let Some((expires, _)) = self.states.pop_first()
        {
            self.floor = expires;
        }
        Ok(())
    }

    /// Forgets states that have expired.
    fn let_go(&mut self, now: UnixTime) {
        while self.states.first().is_some_and(|(expires, _)| *expires <= now) {
            self.states.pop_first();
        }
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
        let used = open().unwrap().used;
        assert!(open().unwrap_err().to_string().contains("used already"));
        seal.give_back(used, &alice());
        open().unwrap();
        seal.forget(NOW.after(VALID_FOR));
        assert!(seal.used.lock().is_empty());
    }

    #[test]
    fn what_is_forgotten_cannot_be_replayed() {
        let mut used = Used::default();
        let mut take = |n: u64, expires: u64| {
            let mut nonce = [0; NONCE_BYTES];
            nonce[..8].copy_from_slice(&n.to_be_bytes());
            let taken = used.take(UsedState { expires: UnixTime(expires), nonce }, UnixTime(0));
            assert!(used.states.len() <= USED_PER_USER_MAX);
            taken.map_err(|error| error.to_string())
        };
        let last = USED_PER_USER_MAX as u64;
        for n in 0..=last {
            take(n, n + 10).unwrap();
        }
        assert!(take(0, 10).unwrap_err().contains("may have been, too"), "it was displaced");
        assert!(take(last, last + 10).unwrap_err().contains("used already"));
        take(last + 1, 11).expect("one that expires later than all that are forgotten");
    }
}
