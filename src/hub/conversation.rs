//! A call whose provider may ask back before it answers, held as one call from beginning to end.

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;

use super::{
    Hub,
    resume::Resumption,
    user::{Permit, UserTools},
};
use crate::model::{
    call::{Call, Output, OutputKind},
    error::CallError,
    json::Json,
    trace::TRACEPARENT,
};

/// One call to all bounds, however often its client is asked: it counts once against its user's pace,
/// has one place among the user's calls, and one `limits.call_total`, of which asking takes nothing.
/// It leads back to whoever asked by itself, so that no request state is given out. Those who look see
/// each round, as they see the calls by which a client of the modern era goes on.
pub struct Conversation {
    hub: Hub,
    user: Arc<UserTools>,
    call: Arc<Call>,
    permit: Option<Permit>,
    /// For which providers may still be at work.
    time_left: Duration,
    resumption: Option<Resumption>,
    /// To which its first round belongs.
    trace_parent: Option<Json>,
}

impl Hub {
    /// Begins a call of `user`; nothing is run before [`Conversation::next`].
    pub fn converse(&self, user: &Arc<UserTools>, call: Call) -> Conversation {
        Conversation {
            hub: self.clone(),
            user: Arc::clone(user),
            call: Arc::new(call),
            permit: None,
            time_left: self.limits().call_total,
            resumption: None,
            trace_parent: None,
        }
    }
}

impl Conversation {
    /// Runs the tool, then goes on with `answers` to what it asked last. What it gives may be another
    /// question. Dropping the future cancels the call.
    ///
    /// # Errors
    ///
    /// As [`Hub::call`].
    pub async fn next(&mut self, answers: Option<Json>) -> Result<Output, CallError> {
        if self.resumption.is_some() {
            let mut call = Call { input_responses: answers, ..Call::clone(&self.call) };
            // Its rounds are one trace, also where its client names none.
            let is_told = call.meta.iter().any(|(key, _)| *key == TRACEPARENT);
            if let Some(parent) = self.trace_parent.take_if(|_| !is_told) {
                call.meta.push((TRACEPARENT.into(), parent));
            }
            self.call = Arc::new(call);
        }
        let shared = &*self.hub.shared;
        let mut record = shared.meters.begin(shared.spans.as_ref(), &self.user, &self.call);
        let outcome = async {
            if self.permit.is_none() {
                self.permit = Some(self.hub.admit(&self.user)?);
            }
            let began = Instant::now();
            let route = self.hub.route(&self.user, began + self.time_left);
            let outcome = route.call(&self.call, self.resumption.as_ref(), &mut record.trail).await;
            self.time_left = self.time_left.saturating_sub(began.elapsed());
            outcome
        };
        let answered = outcome.await.inspect_err(|error| record.failed(error))?;
        record.answered(&answered.output);
        if self.trace_parent.is_none() {
            self.trace_parent = record.trace_parent();
        }
        let asks = answered.output.kind == OutputKind::InputRequired;
        self.resumption = asks.then(|| Resumption::of(&answered.output, &answered.by));
        Ok(answered.output)
    }
}
