//! The hub's metrics of calls: handles that are looked up once, so that counting is a few atomic
//! additions. What all metrics mean is in `docs/metrics.md`.

use std::{
    hash::{BuildHasher, RandomState},
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use metrics::{Counter, Gauge, Histogram, counter, gauge, histogram};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{provider::Kind, traffic::Counted};
use crate::model::{
    client::ClientEra,
    error::{AttemptError, NotHandedOver},
};

/// How a call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = CallOutcome)]
pub enum Outcome {
    Ok,
    /// The tool itself says that it failed.
    ToolError,
    /// The tool asks the client something.
    InputRequired,
    /// The caller is at fault.
    Refused,
    /// No provider answered.
    Failed,
    /// A limit left no room for it.
    Limited,
    UnknownTool,
    /// Nobody waited any more.
    Cancelled,
}

impl Outcome {
    pub const ALL: [Self; 8] = [
        Self::Ok,
        Self::ToolError,
        Self::InputRequired,
        Self::Refused,
        Self::Failed,
        Self::Limited,
        Self::UnknownTool,
        Self::Cancelled,
    ];

    /// As a metric label, and in the API.
    pub fn label(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::ToolError => "tool_error",
            Self::InputRequired => "input_required",
            Self::Refused => "refused",
            Self::Failed => "failed",
            Self::Limited => "limited",
            Self::UnknownTool => "unknown_tool",
            Self::Cancelled => "cancelled",
        }
    }

    pub(super) fn counted(self) -> Counted {
        match self {
            // Who cancels has not been failed.
            Self::Ok | Self::InputRequired | Self::Cancelled => Counted::Fine,
            Self::ToolError | Self::Refused | Self::Failed | Self::UnknownTool => Counted::Error,
            Self::Limited => Counted::Limited,
        }
    }

    pub(super) fn is_error(self) -> bool {
        self.counted() != Counted::Fine
    }
}

/// How an attempt ended, as a metric label.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AttemptOutcome {
    Answered,
    NotHandedOver,
    Error,
    Lost,
    TimedOut,
    Faulty,
    Stopped,
    Cancelled,
}

impl AttemptOutcome {
    const ALL: [Self; 8] = [
        Self::Answered,
        Self::NotHandedOver,
        Self::Error,
        Self::Lost,
        Self::TimedOut,
        Self::Faulty,
        Self::Stopped,
        Self::Cancelled,
    ];

    pub(super) fn label(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::NotHandedOver => "not_handed_over",
            Self::Error => "error",
            Self::Lost => "lost",
            Self::TimedOut => "timed_out",
            Self::Faulty => "faulty",
            Self::Stopped => "stopped",
            Self::Cancelled => "cancelled",
        }
    }

    pub(super) fn of(failure: Option<&AttemptError>) -> Self {
        match failure {
            None => Self::Answered,
            Some(AttemptError::NotHandedOver(_)) => Self::NotHandedOver,
            Some(AttemptError::Answered(_)) => Self::Error,
            Some(AttemptError::Lost) => Self::Lost,
            Some(AttemptError::Silent(_) | AttemptError::OutOfTime(_)) => Self::TimedOut,
            Some(AttemptError::Faulty(_)) => Self::Faulty,
            Some(AttemptError::Stopped(_)) => Self::Stopped,
        }
    }
}

/// Everything that is counted of a call on its way.
pub(super) struct Meters {
    pub in_flight: Gauge,
    pub failovers: Counter,
    calls: [[Counter; Outcome::ALL.len()]; ClientEra::ALL.len()],
    call_duration: Histogram,
    attempts: [Attempts; Kind::ALL.len()],
    breaker_open: Counter,
    other_schema: Counter,
    /// Makes ids of numbers: nobody is to learn from theirs how many calls others make.
    ids: RandomState,
    next: AtomicU64,
}

/// The attempts at providers of one kind.
struct Attempts {
    ended: [Counter; AttemptOutcome::ALL.len()],
    duration: Histogram,
}

impl Meters {
    /// Uses the recorder that is installed at this moment.
    pub(super) fn new() -> Self {
        // Counted where tools are; here it only begins.
        counter!("mcp_hub_definition_changes_total").increment(0);
        let calls = |era: ClientEra| {
            Outcome::ALL.map(|outcome| {
                counter!("mcp_hub_calls_total", "outcome" => outcome.label(), "era" => era.label())
            })
        };
        let attempts = |kind: Kind| Attempts {
            ended: AttemptOutcome::ALL.map(|outcome| {
                let (outcome, kind) = (outcome.label(), kind.label());
                counter!("mcp_hub_attempts_total", "outcome" => outcome, "kind" => kind)
            }),
            duration: histogram!("mcp_hub_attempt_duration_seconds", "kind" => kind.label()),
        };
        let passed_over =
            |reason: &'static str| counter!("mcp_hub_offers_passed_over_total", "reason" => reason);
        Self {
            in_flight: gauge!("mcp_hub_calls_in_flight"),
            failovers: counter!("mcp_hub_failovers_total"),
            calls: ClientEra::ALL.map(calls),
            call_duration: histogram!("mcp_hub_call_duration_seconds"),
            attempts: Kind::ALL.map(attempts),
            breaker_open: passed_over("breaker_open"),
            other_schema: passed_over("other_schema"),
            ids: RandomState::new(),
            next: AtomicU64::new(1),
        }
    }

    /// An id for a call, unlike that of any other.
    pub(super) fn id(&self) -> u64 {
        self.ids.hash_one(self.next.fetch_add(1, Ordering::Relaxed))
    }

    pub(super) fn called(&self, outcome: Outcome, era: ClientEra, duration: Duration) {
        self.calls[era as usize][outcome as usize].increment(1);
        self.call_duration.record(duration);
    }

    pub(super) fn tried(&self, outcome: AttemptOutcome, kind: Kind, duration: Duration) {
        let attempts = &self.attempts[kind as usize];
        attempts.ended[outcome as usize].increment(1);
        attempts.duration.record(duration);
    }

    pub(super) fn passed_over(&self, why: NotHandedOver) {
        match why {
            NotHandedOver::BreakerOpen => self.breaker_open.increment(1),
            NotHandedOver::OtherSchema => self.other_schema.increment(1),
            // These come of an attempt.
            NotHandedOver::Gone
            | NotHandedOver::QueueFull
            | NotHandedOver::TooManyCalls
            | NotHandedOver::TooLarge
            | NotHandedOver::NoInstance => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outcome_has_one_name() {
        for outcome in Outcome::ALL {
            assert_eq!(serde_json::to_value(outcome).unwrap(), outcome.label());
        }
    }
}
