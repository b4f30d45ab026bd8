//! What is kept of one session's streams, and what gives way when there is too much of it.
//!
//! What somebody is about to read stays: the bounds are for those who may come back. A large answer
//! for which there is no room becomes an error for its request, since its client would wait for it
//! if it were just lost.

use std::{
    collections::{HashMap, VecDeque},
    num::NonZeroU64,
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use tokio::{sync::watch, time::Instant};
use tokio_util::sync::CancellationToken;

use super::{
    Answer,
    event_id::EventId,
    room::{Share, Taken},
};
use crate::{
    client::{error::Refusal, message::RequestId, payload::Payload},
    model::limits::{self, Limits},
};

/// Events up to this size take no room, so that everybody can be told that larger ones have none.
const SMALL_BYTES: usize = 4 * 1024;

pub(super) struct Shelf {
    bounds: Bounds,
    pub share: Share,
    pub streams: HashMap<NonZeroU64, Stream>,
    /// Of all streams, oldest first.
    events: VecDeque<Kept>,
    bytes: usize,
    last: u64,
}

/// How much is kept of one session.
struct Bounds {
    events: usize,
    bytes: usize,
    /// How long after the last answer of a stream.
    time: Duration,
}

pub(super) struct Stream {
    pub phase: Phase,
    /// Requests that have no answer yet.
    pub open: usize,
    /// Events told so far.
    told: u64,
    /// When the last request was answered.
    pub over: Option<Instant>,
    /// Whoever reads now; those before have to stop.
    pub reader: u64,
    /// Whether somebody does read, or is to begin.
    pub is_read: bool,
    pub wake: watch::Sender<()>,
}

pub(super) enum Phase {
    /// Answers wait to go out as JSON, unless there is something to tell before.
    Undecided {
        answers: Vec<Waiting>,
    },
    Events,
}

/// An answer that waits for those of the other requests of its batch.
pub(super) struct Waiting {
    id: Option<RequestId>,
    pub answer: Answer,
    /// What a large one takes of the room.
    taken: Option<[Taken; 2]>,
}

struct Kept {
    stream: NonZeroU64,
    place: u64,
    event: Bytes,
    weight: Weight,
    is_read: bool,
    /// What a large one takes of the room.
    taken: Option<[Taken; 2]>,
}

/// What is kept for clients that may come back.
struct Held {
    events: usize,
    /// Without those of the newest.
    bytes: usize,
    /// The newest that nobody is there to read: it is kept whatever its size.
    newest: Option<usize>,
}

/// What it means when an event is lost.
pub(super) enum Weight {
    /// Nothing but a missing hint.
    Advice,
    /// A question that is asked in vain: who asked is told by this.
    Question(CancellationToken),
    /// A client that waits for the answer to this request in vain.
    Answer(Option<RequestId>),
}

/// Why an event was not told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::client::legacy) enum Lost {
    /// The client has left, and cannot come back.
    Left,
    /// Too much waits for clients already (`limits.event_bytes`).
    NoRoom,
}

impl Shelf {
    pub(super) fn new(limits: &Limits, share: Share) -> Self {
        let bounds = Bounds {
            events: limits.events_per_session.get(),
            bytes: limits::bytes(limits.event_bytes_per_session),
            time: limits.resume_time,
        };
        let (streams, events) = (HashMap::new(), VecDeque::new());
        Self { bounds, share, streams, events, bytes: 0, last: 0 }
    }

    /// A new stream with `open` requests to answer, and what wakes whoever reads it.
    pub(super) fn open(&mut self, open: usize) -> (NonZeroU64, watch::Receiver<()>) {
        self.last += 1;
        let stream = NonZeroU64::new(self.last).expect("counted from one");
        let (wake, woken) = watch::channel(());
        let phase = Phase::Undecided { answers: Vec::new() };
        let state = Stream { phase, open, told: 0, over: None, reader: 0, is_read: true, wake };
        self.streams.insert(stream, state);
        (stream, woken)
    }

    /// From now on the stream is one of events; answers that wait are the first.
    pub(super) fn decide(&mut self, stream: NonZeroU64) {
        let Some(state) = self.streams.get_mut(&stream) else { return };
        if let Phase::Undecided { answers } = std::mem::replace(&mut state.phase, Phase::Events) {
            for Waiting { id, answer, taken } in answers {
                let weight = Weight::Answer(id);
                if let Err(why) = self.keep_with(taken, stream, rendered(answer), weight) {
                    tracing::debug!(?why, "an answer was dropped: its client has gone");
                }
            }
        }
    }

    /// Lets an answer wait for those of the requests it came with, as long as there is nothing else
    /// to tell. Gives it back when there was, and `None` for a client that has gone.
    pub(super) fn wait(
        &mut self,
        stream: NonZeroU64,
        id: Option<&RequestId>,
        answer: Answer,
    ) -> Option<Answer> {
        let state = self.streams.get_mut(&stream)?;
        let Phase::Undecided { answers } = &mut state.phase else { return Some(answer) };
        let size = answer.as_ref().map_or_else(Refusal::size, Payload::size);
        let is_alone = state.open == 1 && answers.is_empty();
        let needs_room = size > SMALL_BYTES && !is_alone;
        let taken = needs_room.then(|| self.share.take(size)).flatten();
        let answer = match needs_room && taken.is_none() {
            true => Err(Refusal::no_room_for_answer().of(id.cloned())),
            false => answer,
        };
        answers.push(Waiting { id: id.cloned(), answer, taken });
        None
    }

    /// Keeps an event to be read. Its stream is one of events from now on.
    pub(super) fn tell(
        &mut self,
        stream: NonZeroU64,
        event: BytesMut,
        weight: Weight,
    ) -> Result<(), Lost> {
        self.decide(stream);
        self.keep(stream, event, weight)
    }

    fn keep(&mut self, stream: NonZeroU64, event: BytesMut, weight: Weight) -> Result<(), Lost> {
        self.keep_with(None, stream, event, weight)
    }

    /// As [`Self::keep`], for an event that may have taken its room already.
    fn keep_with(
        &mut self,
        taken: Option<[Taken; 2]>,
        stream: NonZeroU64,
        event: BytesMut,
        weight: Weight,
    ) -> Result<(), Lost> {
        let state = self.streams.get_mut(&stream).ok_or(Lost::Left)?;
        let place = state.told + 1;
        let event = closed(event, EventId::Told { stream, place });
        let is_large = event.len() > SMALL_BYTES;
        let taken = taken.or_else(|| is_large.then(|| self.share.take(event.len())).flatten());
        let has_room = !is_large || taken.is_some();
        let mut kept = Kept { stream, place, event, weight, is_read: false, taken };
        if !has_room && !kept.shorten() {
            return Err(Lost::NoRoom);
        }
        if kept.is_advice() && !self.has_room_for_advice(kept.event.len()) {
            return Err(Lost::NoRoom);
        }
        self.bytes += kept.event.len();
        self.events.push_back(kept);
        if let Some(state) = self.streams.get_mut(&stream) {
            state.told = place;
            state.wake.send_replace(());
        }
        self.trim();
        Ok(())
    }

    /// Whether there is room for advice of `bytes`, perhaps in the place of other advice.
    fn has_room_for_advice(&mut self, bytes: usize) -> bool {
        if bytes > self.bounds.bytes {
            return false;
        }
        while self.exceeds(1, bytes) {
            let Some(index) = self.spare_advice() else { return false };
            self.forget(index);
        }
        true
    }

    /// Keeps to the bounds: first goes advice that was read, then other advice, then what was read,
    /// then what nobody is there to read. Large answers are shortened before anything small goes.
    pub(super) fn trim(&mut self) {
        while self.exceeds(0, 0) {
            if let Some(index) = self.spare_advice() {
                self.forget(index);
                continue;
            }
            let was_read = self.first_to_go(|index| self.events[index].is_read);
            let is_left = || self.first_to_go(|index| self.is_left(index));
            let Some(index) = was_read.or_else(is_left) else { return };
            if was_read.is_none() {
                self.share.tools.hit("limits.event_bytes_per_session");
            }
            if !self.shorten(index) {
                self.forget(index);
            }
        }
    }

    /// The oldest of those. While only the bytes are too many, one that can be shortened goes before:
    /// whoever waits for what was shortened before is not to be told nothing in the end.
    fn first_to_go(&self, is_of_those: impl Fn(usize) -> bool) -> Option<usize> {
        let Held { events, newest, .. } = self.held();
        let those = || (0..self.events.len()).filter(|index| is_of_those(*index));
        let is_long = |index: &usize| self.events[*index].is_long() && Some(*index) != newest;
        let long = if events > self.bounds.events { None } else { those().find(is_long) };
        long.or_else(|| those().next())
    }

    /// See [`Kept::shorten`].
    fn shorten(&mut self, index: usize) -> bool {
        let kept = &mut self.events[index];
        let before = kept.event.len();
        let is_shorter = kept.shorten();
        self.bytes -= before - kept.event.len();
        is_shorter
    }

    fn spare_advice(&self) -> Option<usize> {
        let read = self.position(|kept| kept.is_advice() && kept.is_read);
        read.or_else(|| self.position(Kept::is_advice))
    }

    /// Whether nobody is there to read the event at `index`.
    fn is_left(&self, index: usize) -> bool {
        self.streams.get(&self.events[index].stream).is_none_or(|state| !state.is_read)
    }

    /// Whether what is kept for clients that may come back, and so much more, is beyond the bounds.
    fn exceeds(&self, events: usize, bytes: usize) -> bool {
        let max = &self.bounds;
        if self.events.len() + events <= max.events && self.bytes + bytes <= max.bytes {
            return false;
        }
        let held = self.held();
        held.events + events > max.events || held.bytes + bytes > max.bytes
    }

    fn held(&self) -> Held {
        let mut held = Held { events: 0, bytes: 0, newest: None };
        for (index, kept) in self.events.iter().enumerate() {
            let gives_way = kept.is_read || kept.is_advice();
            let is_left = self.is_left(index);
            if gives_way || is_left {
                held.events += 1;
                held.bytes += kept.event.len();
            }
            if is_left && !gives_way {
                held.newest = Some(index);
            }
        }
        held.bytes -= held.newest.map_or(0, |index| self.events[index].event.len());
        held
    }

    fn position(&self, is_it: impl Fn(&Kept) -> bool) -> Option<usize> {
        self.events.iter().position(is_it)
    }

    fn forget(&mut self, index: usize) {
        let Some(lost) = self.events.remove(index) else { return };
        self.bytes -= lost.event.len();
        if let Weight::Question(is_lost) = lost.weight
            && !lost.is_read
        {
            is_lost.cancel();
        }
        // A stream that has ended is kept for its events only.
        let is_over = self.streams.get(&lost.stream).is_some_and(|state| state.over.is_some());
        if is_over && !self.has_after(lost.stream, 0) {
            self.streams.remove(&lost.stream);
        }
    }

    /// Whether an event of `stream` is kept that follows `place`.
    pub(super) fn has_after(&self, stream: NonZeroU64, place: u64) -> bool {
        self.events.iter().any(|kept| kept.follows(stream, place))
    }

    /// The event of `stream` that follows `place`, and its own place. It counts as read now.
    pub(super) fn read_after(&mut self, stream: NonZeroU64, place: u64) -> Option<(u64, Bytes)> {
        let index = self.position(|kept| kept.follows(stream, place))?;
        let is_crowded = self.share.is_crowded();
        let kept = &mut self.events[index];
        kept.is_read = true;
        let read = (kept.place, kept.event.clone());
        // Who may have got it already does not hold the room of those who have not.
        if is_crowded && kept.taken.is_some() && !self.shorten(index) {
            self.forget(index);
        }
        self.trim();
        Some(read)
    }

    /// Lets go of what ended long ago.
    pub(super) fn sweep(&mut self) {
        let (time, mut ended) = (self.bounds.time, Vec::new());
        self.streams.retain(|stream, state| {
            let is_kept = state.over.is_none_or(|over| over.elapsed() < time);
            if !is_kept {
                ended.push(*stream);
            }
            is_kept
        });
        if !ended.is_empty() {
            self.events.retain(|kept| !ended.contains(&kept.stream));
            self.bytes = self.events.iter().map(|kept| kept.event.len()).sum();
        }
    }

    /// How many streams, events and bytes are kept.
    #[cfg(test)]
    pub(super) fn sizes(&self) -> (usize, usize, usize) {
        assert_eq!(self.bytes, self.events.iter().map(|kept| kept.event.len()).sum::<usize>());
        (self.streams.len(), self.events.len(), self.bytes)
    }
}

impl Kept {
    fn follows(&self, stream: NonZeroU64, place: u64) -> bool {
        self.stream == stream && self.place > place
    }

    fn is_advice(&self) -> bool {
        matches!(self.weight, Weight::Advice)
    }

    /// Whether it is an answer for which an error would be shorter.
    fn is_long(&self) -> bool {
        matches!(self.weight, Weight::Answer(_)) && self.event.len() > SMALL_BYTES
    }

    /// Puts an error in the place of a large answer, so that who comes back for it is told. `false`
    /// if it is none.
    fn shorten(&mut self) -> bool {
        if !self.is_long() {
            return false;
        }
        let Weight::Answer(id) = &self.weight else { return false };
        let refusal = Refusal::no_room_for_answer().of(id.clone());
        let id = EventId::Told { stream: self.stream, place: self.place };
        self.event = closed(refusal.payload().into_open_event(), id);
        self.taken = None;
        true
    }
}

/// The event with its id, after the data, where no earlier line has to move for it.
fn closed(mut event: BytesMut, id: EventId) -> Bytes {
    event.extend_from_slice(format!("id: {id}\n\n").as_bytes());
    event.freeze()
}

pub(super) fn rendered(answer: Answer) -> BytesMut {
    answer.unwrap_or_else(|refusal| refusal.payload()).into_open_event()
}
