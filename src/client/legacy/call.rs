//! A call of a session: it runs on when its client is cut off, and asks the client back what its
//! provider wants to know.

use std::sync::Arc;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

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
    /// Fires when the hub stops: nothing that is asked can be answered then.
    pub stopping: CancellationToken,
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

    /// Calls, and goes on with answers as long as the provider asks for them.
    async fn answered(&self, call: Call) -> Result<Output, Unanswered> {
        let mut conversation = self.hub.converse(&self.session.tools, call);
        let mut output = conversation.next(None).await?;
        let mut time_left = self.limits.question_time;
        for _ in 0..self.limits.question_rounds.get() {
            if output.kind != OutputKind::InputRequired {
                return Ok(output);
            }
            let asked_at = Instant::now();
            let answers = self.asked(&output, asked_at + time_left).await?;
            time_left = time_left.saturating_sub(asked_at.elapsed());
            output = conversation.next(answers).await?;
        }
        match output.kind {
            OutputKind::InputRequired => {
                Err(Unasked::TooManyRounds(self.limits.question_rounds.get()).into())
            }
            OutputKind::Unsaid | OutputKind::Complete => Ok(output),
        }
    }

    /// The client's answers to what `output` asks; none where it only wants to be called again.
    async fn asked(&self, output: &Output, until: Instant) -> Result<Option<Json>, Unasked> {
        let abilities = self.session.capabilities.as_ref().map(Json::as_str);
        questions::check(output, Abilities::read(abilities))?;
        let round = questions::questions(output, self.limits.questions_per_round.get())?;
        if round.is_empty() {
            return Ok(None);
        }
        if !self.reads_events {
            return Err(Unasked::NoStream);
        }
        let asking = self.session.questions.put(&round, &self.teller, until, &self.limits);
        tokio::select! {
            answers = asking => answers.map(Some),
            () = self.stopping.cancelled() => Err(Unasked::Stopping),
        }
    }

    fn worded(&self, outcome: Result<Output, Unanswered>) -> Answer {
        let result = match outcome {
            Ok(output) => return Ok(Payload::result(&self.id, [self.wording.result(&output)])),
            Err(Unanswered::Unasked(why)) => {
                if let Some(limit) = why.limit() {
                    self.session.tools.hit(limit);
                }
                text_result(&why.to_string(), true)
            }
            Err(Unanswered::Failed(error)) => match tell(error, false) {
                Told::Error(refusal) => return Err(refusal.of(Some(self.id.clone()))),
                Told::Result(result) => result,
            },
        };
        Ok(Payload::result(&self.id, [result.bytes()]))
    }
}
