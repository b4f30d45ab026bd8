//! A call of a session: it runs on when its client is cut off, and asks the client back what its
//! provider wants to know.

use std::sync::Arc;

use tokio::time::Instant;

use super::{
    backlog::{Answer, Teller},
    dialect::Wording,
    questions::{self, Unasked},
    session::{Listed, Session},
};
use crate::{
    client::{
        capabilities::Abilities,
        error::{Told, tell},
        message::RequestId,
        payload::{Payload, text_result},
    },
    hub::Hub,
    model::{
        call::{Call, Notice, Notices, Output, OutputKind},
        error::CallError,
        json::Json,
        limits::Limits,
    },
};

/// A call and what it needs to be answered.
pub(super) struct Exchange {
    pub hub: Hub,
    pub limits: Arc<Limits>,
    pub session: Arc<Session>,
    pub listed: Listed,
    pub id: RequestId,
    pub wording: Wording,
    pub progress_token: Option<Json>,
    /// Whether the client can read an event stream, and so be asked.
    pub reads_events: bool,
    pub teller: Teller,
}

/// Why a call has no result.
enum Unanswered {
    Failed(CallError),
    Unasked(Unasked),
}

impl From<CallError> for Unanswered {
    fn from(error: CallError) -> Self {
        Self::Failed(error)
    }
}

impl From<Unasked> for Unanswered {
    fn from(why: Unasked) -> Self {
        Self::Unasked(why)
    }
}

impl Exchange {
    /// Runs the call to its end. One that is cancelled gets no answer.
    pub(super) async fn run(self, call: Call, mut notices: Option<Notices>) {
        let call = Arc::new(call);
        let outcome = tokio::select! {
            biased;
            () = self.listed.cancelled.cancelled() => None,
            () = self.session.ended.cancelled() => None,
            () = self.passes_on(&mut notices) => None,
            outcome = self.answered(call) => Some(outcome),
        };
        let Some(outcome) = outcome else { return };
        // What was said in the same moment: a plugin that never waits says all in one go.
        while let Some(notice) = notices.as_mut().and_then(Notices::said) {
            self.pass_on(&notice);
        }
        let answer = self.worded(outcome);
        self.teller.answer(answer);
    }

    /// Tells the client what the provider says while it works; never ends.
    async fn passes_on(&self, notices: &mut Option<Notices>) {
        if let Some(notices) = notices {
            while let Some(notice) = notices.next().await {
                self.pass_on(&notice);
            }
        }
        std::future::pending::<()>().await;
    }

    fn pass_on(&self, notice: &Notice) {
        if let Some(payload) = Payload::notice(notice, self.progress_token.as_ref()) {
            self.teller.advise(payload);
        }
    }

    /// Calls, and calls again with answers as long as the provider asks for them.
    async fn answered(&self, mut call: Arc<Call>) -> Result<Output, Unanswered> {
        let tools = &self.session.tools;
        let mut time_left = self.limits.question_time;
        for _ in 0..=self.limits.question_rounds.get() {
            let output = self.hub.call(tools, Arc::clone(&call)).await?;
            if output.kind != OutputKind::InputRequired {
                return Ok(output);
            }
            let abilities = self.session.capabilities.as_ref().map(Json::as_str);
            questions::check(&output, Abilities::read(abilities))?;
            let round = questions::questions(&output, self.limits.questions_per_round.get())?;
            let asked_at = Instant::now();
            let answers = if round.is_empty() {
                None
            } else if !self.reads_events {
                return Err(Unasked::NoStream.into());
            } else {
                // A call that waits for its client is one in flight as well.
                let _permit = tools.permit_call(self.limits.calls_per_user.get());
                let _permit = _permit.map_err(CallError::Limited)?;
                let (deadline, seconds) =
                    (asked_at + time_left, self.limits.question_time.as_secs());
                let asking = self.session.questions.put(&round, &self.teller, deadline, seconds);
                Some(asking.await?)
            };
            time_left = time_left.saturating_sub(asked_at.elapsed());
            let state = output.request_state.as_ref().map(|span| output.part(span));
            let state = state.and_then(|state| serde_json::from_str(state).ok());
            call = Arc::new(Call {
                input_responses: answers,
                request_state: state,
                ..Call::clone(&call)
            });
        }
        Err(Unasked::TooManyRounds(self.limits.question_rounds.get()).into())
    }

    fn worded(&self, outcome: Result<Output, Unanswered>) -> Answer {
        let result = match outcome {
            Ok(output) => return Ok(Payload::result(&self.id, [self.wording.result(&output)])),
            Err(Unanswered::Unasked(why)) => text_result(&why.to_string(), true),
            Err(Unanswered::Failed(error)) => match tell(error, false) {
                Told::Error(refusal) => return Err(refusal.of(Some(self.id.clone()))),
                Told::Result(result) => result,
            },
        };
        Ok(Payload::result(&self.id, [result.bytes()]))
    }
}
