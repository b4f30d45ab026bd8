//! What a provider does with a call: what it should, what it should not, and what nobody thought of.

use std::time::Duration;

use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use super::weather::{CALL_IDLE, JSON_DEPTH_MAX, MESSAGE_BYTES_MAX, STALL_MAX};
use crate::support::chance::Chance;

/// What a provider does with a call.
#[derive(Debug, Clone, Copy)]
pub(super) enum Act {
    Answer,
    /// Says how it gets on, now and then for longer than a call may be silent, or may take.
    Work,
    /// Says more than anybody wants to hear.
    Flood,
    Fail,
    Blame,
    /// A result that reports a failure.
    Regret,
    Never,
    Late,
    Twice,
    /// Answers calls that nobody made, and this one after them.
    Stray,
    /// Answers with something that is no result.
    Babble,
    Ask,
    HangUp,
    Malformed,
    TooLarge,
    TooDeep,
    Binary,
    /// Does not look at its socket for a while.
    Stall,
}

const ACTS: &[(usize, Act)] = &[
    (40, Act::Answer),
    (12, Act::Work),
    (3, Act::Flood),
    (8, Act::Fail),
    (4, Act::Blame),
    (4, Act::Regret),
    (5, Act::Never),
    (5, Act::Late),
    (4, Act::Twice),
    (4, Act::Stray),
    (4, Act::Babble),
    (2, Act::HangUp),
    (1, Act::Malformed),
    (1, Act::TooLarge),
    (1, Act::TooDeep),
    (1, Act::Binary),
    (1, Act::Stall),
];

/// One thing to be done on the socket when its time has come.
pub(super) enum Step {
    Say(Value),
    /// The answer to this call.
    Answer(u64, Value),
    HangUp,
    Raw(Message),
    Stall(Duration),
}

/// A call in a provider's hands.
pub(super) struct Called<'a> {
    pub(super) id: u64,
    pub(super) user: &'a str,
    /// The answer it should have.
    pub(super) text: &'a str,
}

impl Act {
    /// What to do with a call of `tool`; `is_answered` when it brings what was asked for before.
    pub(super) fn with(tool: &str, is_answered: bool, chance: &mut Chance) -> Self {
        match (tool, is_answered) {
            ("ask", false) => Self::Ask,
            ("ask", true) => Self::Answer,
            _ => chance.weighted(ACTS),
        }
    }

    /// Whether the tool may have run: not if the provider says at once that it will not do it.
    pub(super) fn runs(self) -> bool {
        !matches!(self, Self::Fail | Self::Blame)
    }

    pub(super) fn sight(self) -> Option<&'static str> {
        match self {
            Self::Twice => Some("answered twice"),
            Self::Stray => Some("answered what nobody asked"),
            _ => None,
        }
    }

    /// What is to be done, and how long after the step before.
    pub(super) fn script(self, call: &Called<'_>, chance: &mut Chance) -> Vec<(Duration, Step)> {
        let Called { id, user, text } = *call;
        let now = Duration::ZERO;
        let soon = chance.millis(0..60);
        let says = |text: &str| json!({ "content": [{ "type": "text", "text": text }] });
        let result =
            |id: u64, result: Value| json!({ "jsonrpc": "2.0", "id": id, "result": result });
        let error = |code: i64| json!({ "jsonrpc": "2.0", "id": id, "error": { "code": code, "message": "no" } });
        let answer = |pause, value: Value| (pause, Step::Answer(id, result(id, value)));
        let progress = |token: u64, step: usize| {
            Step::Say(json!({ "jsonrpc": "2.0", "method": "notifications/progress",
                "params": { "progressToken": token, "progress": step, "message": text } }))
        };
        let log = Step::Say(json!({ "jsonrpc": "2.0", "method": "notifications/message",
            "params": { "level": "error", "data": text, "_meta": { "progressToken": id } } }));
        match self {
            Self::Answer => vec![answer(soon, says(text))],
            Self::Work => {
                let (steps, pause) = (1 + chance.below(12), chance.millis(1..900));
                let mut script = vec![(soon, log)];
                script.extend((1..=steps).map(|step| (pause, progress(id, step))));
                script.push(answer(pause, says(text)));
                script
            }
            Self::Flood => {
                let mut script: Vec<_> = (1..=100).map(|step| (now, progress(id, step))).collect();
                script.push(answer(soon, says(text)));
                script
            }
            Self::Fail => vec![(now, Step::Answer(id, error(-32000)))],
            Self::Blame => vec![(now, Step::Answer(id, error(-32602)))],
            Self::Regret => {
                let mut regret = says(text);
                regret["isError"] = json!(true);
                vec![answer(soon, regret)]
            }
            Self::Never => Vec::new(),
            Self::Late => vec![answer(CALL_IDLE + soon, says(text))],
            Self::Twice => vec![
                answer(soon, says(text)),
                (now, Step::Say(result(id, says("a second answer")))),
            ],
            Self::Stray => {
                let stray = result(id + 1_000_000, says("an answer to nobody"));
                let strange = json!({ "jsonrpc": "2.0", "id": "x", "result": says("strange") });
                let foreign = progress(id + 1_000_000, 1);
                vec![
                    (now, Step::Say(stray)),
                    (now, Step::Say(strange)),
                    (now, foreign),
                    answer(soon, says(text)),
                ]
            }
            Self::Babble => {
                vec![(soon, Step::Answer(id, json!({ "jsonrpc": "2.0", "id": id, "result": 7 })))]
            }
            Self::Ask => vec![answer(
                soon,
                json!({
                    "resultType": "input_required",
                    "requestState": user,
                    "inputRequests": { "who": { "method": "roots/list" } },
                }),
            )],
            Self::HangUp => vec![(soon, Step::HangUp)],
            Self::Malformed => vec![(soon, Step::Raw(Message::text("{\"jsonrpc\":")))],
            Self::TooLarge => {
                vec![(soon, Step::Raw(Message::text("x".repeat(MESSAGE_BYTES_MAX + 1))))]
            }
            Self::TooDeep => {
                let depth = JSON_DEPTH_MAX + 1;
                let text = "[".repeat(depth) + &"]".repeat(depth);
                vec![(soon, Step::Raw(Message::text(text)))]
            }
            Self::Binary => vec![(soon, Step::Raw(Message::binary(&b"\x00"[..])))],
            Self::Stall => {
                let time = chance.millis(100..u64::try_from(STALL_MAX.as_millis()).expect("short"));
                vec![(now, Step::Stall(time)), answer(now, says(text))]
            }
        }
    }
}
