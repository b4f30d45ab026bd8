//! What every call has to come to, whatever its caller and its providers do: one outcome, its own, and
//! the truth about it.

use axum::http::StatusCode;
use serde_json::Value;

use super::{
    book::{Book, Handed},
    caller::{Caller, Heard, Question},
    net::Exchange,
};

/// What a caller is told of a provider's failure, and what that means.
const FAILURES: &[(&str, &str)] = &[
    ("it failed several times running", "breaker open"),
    ("its input schema differs", "another schema"),
    ("it has too many calls in flight", "limits.calls_per_provider"),
    ("larger than a provider's message", "limits.provider_message"),
];

/// A call that has come to something.
struct Case<'a> {
    question: &'a Question<'a>,
    exchange: &'a Exchange,
    handed: Handed,
    /// The text that providers say about it.
    own: String,
    /// All that was heard of it, to be shown.
    told: String,
}

impl Caller {
    pub(super) fn judge(
        &self,
        exchange: &Exchange,
        mut messages: Vec<Value>,
        question: &Question<'_>,
    ) -> Heard {
        let Question { number, tool, .. } = question;
        let mut book = self.storm.book();
        let case = Case {
            question,
            exchange,
            handed: book.ended(*number),
            own: format!("{tool} of {}: {number}", self.user),
            told: format!("call {number} of {tool} by {}: {messages:?}", self.user),
        };
        let outcome = messages.pop();
        messages.iter().for_each(|notice| case.notice(notice, &mut book));
        let Some(outcome) = outcome else {
            // Of a call that was cancelled by its id nothing more is heard.
            let is_cancelled = question.is_cancelled && exchange.status.is_success();
            assert!(is_cancelled, "no outcome of {}", case.told);
            book.saw("cancelled by its id");
            return Heard::Nothing;
        };
        if outcome.get("method").is_some() {
            case.notice(&outcome, &mut book);
            assert!(question.is_cancelled, "no outcome of {}", case.told);
            book.saw("cancelled by its id");
            return Heard::Nothing;
        }
        assert_eq!(outcome["id"], question.id, "{}", case.told);
        if exchange.status == StatusCode::NOT_FOUND {
            book.calls -= 1;
            book.saw("a session was lost");
            return Heard::NoSession;
        }
        if let Some(error) = outcome.get("error") {
            case.error(error, &mut book);
            return Heard::Nothing;
        }
        let result = outcome.get("result").unwrap_or_else(|| panic!("no outcome: {}", case.told));
        if result["resultType"] == "input_required" {
            let state = result["requestState"].as_str().expect("a sealed state");
            book.saw("questions were asked");
            book.keeps_state(self.user, state);
        } else {
            case.result(result, &mut book);
        }
        Heard::Result(result.clone())
    }
}

impl Case<'_> {
    fn notice(&self, notice: &Value, book: &mut Book) {
        let Self { own, told, .. } = self;
        assert!(notice.get("id").is_none(), "two outcomes of {told}");
        let params = &notice["params"];
        match notice["method"].as_str() {
            Some("notifications/progress") => {
                assert_eq!(params["message"], **own, "{told}");
                assert_eq!(params["progressToken"], self.question.number, "{told}");
                book.saw("progress");
            }
            Some("notifications/message") => {
                assert_eq!(params["data"], **own, "{told}");
                book.saw("a log message");
            }
            _ => panic!("{notice} in {told}"),
        }
    }

    fn error(&self, error: &Value, book: &mut Book) {
        let Self { told, handed, .. } = self;
        let what = error.to_string();
        // Those that are the hub's own, and not a provider's.
        let mut hubs_own = |sight| {
            assert_eq!(handed.times, 0, "{told}");
            book.saw(sight);
        };
        match error["code"].as_i64() {
            Some(-32602) if what.contains("there is no tool") || what.contains("withdrawn") => {
                hubs_own("unknown tool");
            }
            Some(-32602) if what.contains("request state") => hubs_own("a foreign request state"),
            Some(-32602) => book.saw("the caller was blamed"),
            // A session whose client cannot be asked.
            Some(-32021) => assert_eq!(self.question.tool, "ask", "{told}"),
            Some(-31000) => {
                assert_eq!(handed.times, 0, "{told}");
                assert_eq!(self.exchange.status, StatusCode::TOO_MANY_REQUESTS, "{told}");
                assert!(self.exchange.headers.contains_key("retry-after"), "{told}");
                book.read(&what);
            }
            _ => panic!("an error nobody made: {told}"),
        }
    }

    fn result(&self, result: &Value, book: &mut Book) {
        let Self { own, told, handed, .. } = self;
        let text = result["content"][0]["text"].as_str().expect("a text");
        let is_error = result["isError"] == true;
        if text == own {
            book.saw(if is_error { "failed by its own word" } else { "answered" });
            if handed.times > 1 {
                book.saw("failed over");
            }
            return;
        }
        assert!(is_error, "an answer to another call: {text} of {told}");
        book.read(text);
        for (_, sight) in FAILURES.iter().filter(|(phrase, _)| text.contains(phrase)) {
            book.saw(sight);
        }
        if text.starts_with("No provider of the tool") {
            assert_eq!(handed.ran, 0, "told that it did not run: {text} of {told}");
            book.saw("nobody could answer");
        } else if text.starts_with("The outcome of this call") {
            book.saw("outcome unknown");
        } else {
            // What a legacy client hears when it cannot be asked.
            assert!(self.question.tool == "ask" && text.contains("ask"), "{text} of {told}");
        }
    }
}
