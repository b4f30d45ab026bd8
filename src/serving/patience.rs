//! How long a connection is waited for: for the head of a request, while nothing is asked, and for
//! answers that are not taken.

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use parking_lot::Mutex;
use tokio::time::Instant;

use crate::model::limits::Limits;

/// What has to be taken within `limits.write_stall`, in bytes, of an answer of which that much waits:
/// who took one byte now and then would else hold the whole of it for ever.
pub(super) const PACE: usize = 64 * 1024;

/// What a connection is waited for, and since when.
pub(super) struct Patience {
    limits: Arc<Limits>,
    state: Mutex<State>,
}

struct State {
    /// Requests whose answers have not been taken yet.
    in_flight: usize,
    /// What is waited for while there are none.
    awaited: Awaited,
    since: Instant,
    /// Those in flight over HTTP/2, and some that no longer are.
    turns: Vec<Weak<Turn>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Awaited {
    /// The rest of a head, or the first one of a connection.
    Head,
    /// Whatever is asked next.
    Request,
    /// The same over HTTP/2, where not all that comes is a request.
    Stream,
}

/// Why a connection is waited for no longer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Overdue {
    Head,
    Idle,
    /// An answer over HTTP/2 is not taken, or too slowly. Of others [`super::stream::Stream`] knows.
    Stalled,
}

impl Overdue {
    /// The key of the bound.
    pub(super) fn limit(self) -> &'static str {
        match self {
            Self::Head => "limits.request_head_time",
            Self::Idle => "limits.connection_idle",
            Self::Stalled => "limits.write_stall",
        }
    }
}

impl Patience {
    pub(super) fn new(limits: Arc<Limits>) -> Self {
        let (awaited, since) = (Awaited::Head, Instant::now());
        let state = State { in_flight: 0, awaited, since, turns: Vec::new() };
        Self { limits, state: Mutex::new(state) }
    }

    /// The connection is ready for its first request.
    pub(super) fn start(&self) {
        self.state.lock().since = Instant::now();
    }

    /// Bytes have come.
    pub(super) fn heard(&self) {
        let mut state = self.state.lock();
        if state.in_flight == 0 && state.awaited == Awaited::Request {
            state.awaited = Awaited::Head;
            state.since = Instant::now();
        }
    }

    /// A request has come; it is under way until all of its turn is dropped.
    pub(super) fn begin(self: &Arc<Self>, is_one_of_many: bool) -> Arc<Turn> {
        let unread = is_one_of_many
            .then(|| Mutex::new(Unread { bytes: 0, taken: 0, since: Instant::now() }));
        let turn = Arc::new(Turn { patience: Arc::clone(self), unread });
        let mut state = self.state.lock();
        state.in_flight += 1;
        state.awaited = if is_one_of_many { Awaited::Stream } else { Awaited::Request };
        if is_one_of_many {
            if state.turns.len() == state.turns.capacity() {
                state.turns.retain(|turn| turn.strong_count() > 0);
            }
            state.turns.push(Arc::downgrade(&turn));
        }
        turn
    }

    /// Whether no request has been under way for `time`.
    pub(super) fn has_rested_for(&self, time: Duration) -> bool {
        let state = self.state.lock();
        state.in_flight == 0 && state.since.elapsed() >= time
    }

    /// How long the connection may be left alone; or why not.
    pub(super) fn left(&self) -> Result<Duration, Overdue> {
        let Limits { request_head_time, connection_idle, write_stall, .. } = *self.limits;
        let state = self.state.lock();
        if state.in_flight > 0 {
            let turns: Vec<_> = state.turns.iter().filter_map(Weak::upgrade).collect();
            drop(state);
            let is_stalled = |turn: &Arc<Turn>| turn.has_waited() >= write_stall;
            if turns.iter().any(is_stalled) {
                return Err(Overdue::Stalled);
            }
            // Nothing rings when a request ends: what is waited for then is looked for in time.
            return Ok(request_head_time.min(connection_idle).min(write_stall));
        }
        let (patience, overdue) = match state.awaited {
            Awaited::Head => (request_head_time, Overdue::Head),
            Awaited::Request | Awaited::Stream => (connection_idle, Overdue::Idle),
        };
        match patience.checked_sub(state.since.elapsed()) {
            None | Some(Duration::ZERO) => Err(overdue),
            // A head may be begun meanwhile.
            Some(left) => Ok(left.min(request_head_time)),
        }
    }
}

/// A request from when its head is read until the last byte of its answer has been taken.
pub(super) struct Turn {
    patience: Arc<Patience>,
    /// Over HTTP/2, where an answer waits for its client though the connection is busy.
    unread: Option<Mutex<Unread>>,
}

struct Unread {
    bytes: usize,
    /// Those taken since then.
    taken: usize,
    /// When [`PACE`] was reached last, or nothing waited.
    since: Instant,
}

impl Unread {
    fn begin(&mut self) {
        (self.taken, self.since) = (0, Instant::now());
    }
}

impl Turn {
    pub(super) fn given(&self, bytes: usize) {
        let Some(unread) = &self.unread else { return };
        let mut unread = unread.lock();
        if unread.bytes == 0 {
            unread.begin();
        }
        unread.bytes += bytes;
    }

    pub(super) fn taken(&self, bytes: usize) {
        let Some(unread) = &self.unread else { return };
        let mut unread = unread.lock();
        unread.bytes -= bytes;
        unread.taken += bytes;
        if unread.bytes == 0 || unread.taken >= PACE {
            unread.begin();
        }
    }

    /// Bytes of the answer that have not been taken.
    #[cfg(test)]
    pub(super) fn waiting(&self) -> usize {
        self.unread.as_ref().map_or(0, |unread| unread.lock().bytes)
    }

    fn has_waited(&self) -> Duration {
        let unread = self.unread.as_ref().map(|unread| unread.lock());
        let waiting = unread.filter(|unread| unread.bytes > 0);
        waiting.map_or(Duration::ZERO, |unread| unread.since.elapsed())
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut state = self.patience.state.lock();
        state.in_flight -= 1;
        state.since = Instant::now();
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    const MOMENT: Duration = Duration::from_millis(1);

    fn patience() -> Arc<Patience> {
        Arc::new(Patience::new(Arc::new(Limits::default())))
    }

    /// Passes the time until just before `bound`, then to it.
    async fn becomes(patience: &Patience, bound: Duration, overdue: Overdue) {
        advance(bound - MOMENT).await;
        assert_eq!(patience.left(), Ok(MOMENT), "one below {overdue:?}");
        advance(MOMENT).await;
        assert_eq!(patience.left(), Err(overdue));
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_head_has_its_time() {
        let limits = Limits::default();
        let patience = patience();
        becomes(&patience, limits.request_head_time, Overdue::Head).await;
        patience.start();
        patience.heard();
        becomes(&patience, limits.request_head_time, Overdue::Head).await;
    }

    #[tokio::test(start_paused = true)]
    async fn after_an_answer_the_next_request_may_take_longer_until_it_is_begun() {
        let limits = Limits::default();
        let patience = patience();
        let turn = patience.begin(false);
        advance(limits.connection_idle * 2).await;
        patience.left().unwrap();
        drop(turn);
        becomes(&patience, limits.connection_idle, Overdue::Idle).await;
        patience.heard();
        becomes(&patience, limits.request_head_time, Overdue::Head).await;
    }

    #[tokio::test(start_paused = true)]
    async fn over_http2_frames_are_not_heads() {
        let limits = Limits::default();
        let patience = patience();
        drop(patience.begin(true));
        patience.heard();
        becomes(&patience, limits.connection_idle, Overdue::Idle).await;
    }

    #[tokio::test(start_paused = true)]
    async fn one_answer_that_is_not_taken_is_seen_among_others_that_are() {
        let limits = Limits::default();
        let patience = patience();
        let (stalled, lively) = (patience.begin(true), patience.begin(true));
        stalled.given(2);
        stalled.taken(1);
        for _ in 0..2 {
            patience.left().unwrap();
            lively.given(1);
            advance(limits.write_stall / 2).await;
            lively.taken(1);
        }
        assert_eq!(patience.left(), Err(Overdue::Stalled));
        stalled.taken(1);
        patience.left().unwrap();
        drop((stalled, lively));
        for _ in 0..100 {
            drop(patience.begin(true));
        }
        assert!(patience.state.lock().turns.len() < 10, "what is over is forgotten");
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_is_taken_too_slowly_is_not_taken() {
        let limits = Limits::default();
        for (size, taken, is_enough) in
            [(PACE * 4, PACE - 1, false), (PACE * 4, PACE, true), (2, 1, false), (2, 2, true)]
        {
            let patience = patience();
            let turn = patience.begin(true);
            turn.given(size);
            advance(limits.write_stall - MOMENT).await;
            (0..taken).for_each(|_| turn.taken(1));
            patience.left().unwrap();
            advance(MOMENT).await;
            assert_eq!(patience.left().is_ok(), is_enough, "{taken} of {size}");
        }
    }
}
