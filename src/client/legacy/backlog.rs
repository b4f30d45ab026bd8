//! What the calls of a session tell its client, kept until it is read and a while longer: a client
//! that was cut off goes on where it stopped (MCP 2025-11-25, transports, Resumability and
//! Redelivery).
//!
//! Each POST has a stream of its own, which begins undecided: as long as there is nothing but
//! answers, they go out as JSON, and nothing is kept.

use std::{
    collections::{HashMap, VecDeque},
    fmt,
    num::NonZeroU64,
    str::FromStr,
    sync::Arc,
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use parking_lot::Mutex;
use tokio::{
    sync::watch,
    time::{Instant, sleep},
};

use crate::{
    client::{error::Refusal, payload::Payload},
    model::limits::{self, Limits},
};

/// How a request ended: what goes to its client.
pub(super) type Answer = Result<Payload, Refusal>;

/// Names an event, as clients send it back in `Last-Event-ID`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::client) enum EventId {
    /// A change of the session's tools, by its number.
    Change(u64),
    /// An event of one POST's stream, by its place there; the priming event has place 0.
    Told { stream: NonZeroU64, place: u64 },
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Change(number) => write!(f, "0_{number}"),
            Self::Told { stream, place } => write!(f, "{stream}_{place}"),
        }
    }
}

/// It is none that this hub gives out.
pub(in crate::client) struct NoEventId;

impl FromStr for EventId {
    type Err = NoEventId;

    fn from_str(text: &str) -> Result<Self, NoEventId> {
        let (stream, place) = text.split_once('_').ok_or(NoEventId)?;
        let number = |digits: &str| match digits.parse() {
            Ok(number) if digits.bytes().all(|byte| byte.is_ascii_digit()) => Ok(number),
            _ => Err(NoEventId),
        };
        let place = number(place)?;
        Ok(match NonZeroU64::new(number(stream)?) {
            Some(stream) => Self::Told { stream, place },
            None => Self::Change(place),
        })
    }
}

/// How much is kept of one session.
#[derive(Debug, Clone, Copy)]
struct Bounds {
    events: usize,
    bytes: usize,
    /// How long after the last answer of a stream.
    time: Duration,
}

/// The streams of one session. Cheap to clone.
#[derive(Clone)]
pub(super) struct Backlog {
    shelf: Arc<Mutex<Shelf>>,
}

struct Shelf {
    bounds: Bounds,
    streams: HashMap<NonZeroU64, Stream>,
    /// Of all streams, oldest first.
    events: VecDeque<Kept>,
    bytes: usize,
    last: u64,
}

struct Stream {
    phase: Phase,
    /// Requests that have no answer yet.
    open: usize,
    /// Events told so far.
    told: u64,
    /// When the last request was answered.
    over: Option<Instant>,
    /// Whoever reads now; those before have to stop.
    reader: u64,
    wake: watch::Sender<()>,
}

enum Phase {
    /// Answers wait to go out as JSON, unless there is something to tell before.
    Undecided {
        answers: Vec<Answer>,
    },
    Events,
}

struct Kept {
    stream: NonZeroU64,
    place: u64,
    event: Bytes,
    weight: Weight,
    is_read: bool,
}

/// What it means when an event is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Weight {
    /// Nothing but a missing hint.
    Advice,
    /// A client that waits in vain.
    Needed,
}

impl Backlog {
    pub(super) fn new(limits: &Limits) -> Self {
        let bounds = Bounds {
            events: limits.events_per_session.get(),
            bytes: limits::bytes(limits.event_bytes_per_session),
            time: limits.resume_time,
        };
        let (streams, events) = (HashMap::new(), VecDeque::new());
        let shelf = Shelf { bounds, streams, events, bytes: 0, last: 0 };
        Self { shelf: Arc::new(Mutex::new(shelf)) }
    }

    /// A stream for `requests` requests, each of which has one of the tellers.
    pub(super) fn open(&self, requests: usize) -> (Undecided, Vec<Teller>) {
        let mut shelf = self.shelf.lock();
        shelf.last += 1;
        let stream = NonZeroU64::new(shelf.last).expect("counted from one");
        let wake = watch::Sender::new(());
        let undecided = Undecided { backlog: self.clone(), stream, wake: wake.subscribe() };
        let phase = Phase::Undecided { answers: Vec::new() };
        let opened = Stream { phase, open: requests, told: 0, over: None, reader: 0, wake };
        shelf.streams.insert(stream, opened);
        let teller = || Teller { backlog: self.clone(), stream };
        (undecided, (0..requests).map(|_| teller()).collect())
    }

    /// Goes on after `place`; whoever read the stream before stops. `None` when nothing follows:
    /// the stream has ended there, or is kept no more.
    pub(super) fn resume(&self, stream: NonZeroU64, place: u64) -> Option<Reader> {
        let mut shelf = self.shelf.lock();
        let Shelf { streams, events, .. } = &mut *shelf;
        let resumed = streams.get_mut(&stream)?;
        let follows = |kept: &Kept| kept.stream == stream && kept.place > place;
        let has_ended = resumed.over.is_some() && !events.iter().any(follows);
        if has_ended || matches!(resumed.phase, Phase::Undecided { .. }) {
            return None;
        }
        resumed.reader += 1;
        resumed.wake.send_replace(());
        let (number, wake) = (resumed.reader, resumed.wake.subscribe());
        Some(Reader { backlog: self.clone(), stream, place, number, wake })
    }

    /// Lets go of what ended long ago.
    pub(super) fn sweep(&self) {
        let mut shelf = self.shelf.lock();
        let (time, mut ended) = (shelf.bounds.time, Vec::new());
        shelf.streams.retain(|stream, state| {
            let is_kept = state.over.is_none_or(|over| over.elapsed() < time);
            if !is_kept {
                ended.push(*stream);
            }
            is_kept
        });
        if !ended.is_empty() {
            shelf.events.retain(|kept| !ended.contains(&kept.stream));
            shelf.bytes = shelf.events.iter().map(|kept| kept.event.len()).sum();
        }
    }
}

impl Shelf {
    fn keep(&mut self, stream: NonZeroU64, mut event: BytesMut, weight: Weight) {
        let Some(state) = self.streams.get_mut(&stream) else { return };
        state.told += 1;
        let place = state.told;
        // After the data, where no earlier line has to move for it.
        let id = EventId::Told { stream, place };
        event.extend_from_slice(format!("id: {id}\n\n").as_bytes());
        if !self.has_room(event.len(), weight) {
            tracing::debug!("an event was dropped: its client reads too slowly or has gone");
            return;
        }
        let event = event.freeze();
        self.bytes += event.len();
        self.events.push_back(Kept { stream, place, event, weight, is_read: false });
        if let Some(state) = self.streams.get(&stream) {
            state.wake.send_replace(());
        }
    }

    /// Makes room for one more event, of which one is kept whatever its size. First goes what was
    /// read, then what was only advice. Advice never displaces what is needed.
    fn has_room(&mut self, bytes: usize, weight: Weight) -> bool {
        let Bounds { events, bytes: bytes_max, .. } = self.bounds;
        while !self.events.is_empty()
            && (self.events.len() >= events || self.bytes + bytes > bytes_max)
        {
            let read = self.events.iter().position(|kept| kept.is_read);
            let spare = || self.events.iter().position(|kept| kept.weight == Weight::Advice);
            let index = match (read.or_else(spare), weight) {
                (Some(index), _) => index,
                (None, Weight::Advice) => return false,
                (None, Weight::Needed) => 0,
            };
            let Some(lost) = self.events.remove(index) else { break };
            self.bytes -= lost.event.len();
            self.forget_if_empty(lost.stream);
        }
        true
    }

    /// A stream that has ended is kept for its events only.
    fn forget_if_empty(&mut self, stream: NonZeroU64) {
        let is_over = self.streams.get(&stream).is_some_and(|state| state.over.is_some());
        if is_over && !self.events.iter().any(|kept| kept.stream == stream) {
            self.streams.remove(&stream);
        }
    }

    /// From now on the stream is one of events; answers that wait are the first.
    fn decide(&mut self, stream: NonZeroU64) {
        let Some(state) = self.streams.get_mut(&stream) else { return };
        if let Phase::Undecided { answers } = std::mem::replace(&mut state.phase, Phase::Events) {
            for answer in answers {
                self.keep(stream, rendered(answer), Weight::Needed);
            }
        }
    }

    fn tell(&mut self, stream: NonZeroU64, event: BytesMut, weight: Weight) {
        self.decide(stream);
        self.keep(stream, event, weight);
    }
}

fn rendered(answer: Answer) -> BytesMut {
    answer.unwrap_or_else(|refusal| refusal.payload()).into_open_event()
}

/// The end of a stream that one request of the client's is answered at.
pub(super) struct Teller {
    backlog: Backlog,
    stream: NonZeroU64,
}

impl Teller {
    /// Tells what may be lost when the client does not keep up.
    pub(super) fn advise(&self, payload: Payload) {
        let event = payload.into_open_event();
        self.backlog.shelf.lock().tell(self.stream, event, Weight::Advice);
    }

    /// Tells what the client has to react to. `false` if it has left and cannot come back.
    #[must_use]
    pub(super) fn demand(&self, payload: Payload) -> bool {
        let event = payload.into_open_event();
        let mut shelf = self.backlog.shelf.lock();
        shelf.tell(self.stream, event, Weight::Needed);
        shelf.streams.contains_key(&self.stream)
    }

    /// The last that is told of the request. Without it, the client cancelled and hears no more.
    pub(super) fn answer(self, answer: Answer) {
        let mut shelf = self.backlog.shelf.lock();
        match shelf.streams.get_mut(&self.stream).map(|state| &mut state.phase) {
            // Nobody waits for it any more, and nobody can ask for it.
            None => return,
            Some(Phase::Undecided { answers }) => return answers.push(answer),
            Some(Phase::Events) => drop(shelf),
        }
        // Put into its form without the lock: it may be megabytes.
        let event = rendered(answer);
        self.backlog.shelf.lock().keep(self.stream, event, Weight::Needed);
    }
}

impl Drop for Teller {
    fn drop(&mut self) {
        let mut shelf = self.backlog.shelf.lock();
        if let Some(state) = shelf.streams.get_mut(&self.stream) {
            state.open -= 1;
            if state.open == 0 {
                state.over = Some(Instant::now());
                state.wake.send_replace(());
            }
        }
    }
}

/// A stream of which is not known yet whether it will be one. Nobody can come back to it.
pub(super) struct Undecided {
    backlog: Backlog,
    stream: NonZeroU64,
    wake: watch::Receiver<()>,
}

/// What became of it.
pub(super) enum Decided {
    /// All answers there will be; requests that were cancelled have none.
    Answers(Vec<Answer>),
    /// A stream to be read from its beginning.
    Events(Reader),
}

impl Undecided {
    /// Waits until every request is answered or there is something to tell before. After
    /// `patience` it is a stream in any case; `None` for a client that cannot read one.
    pub(super) async fn decided(mut self, patience: Option<Duration>) -> Decided {
        let patience = async {
            match patience {
                Some(patience) => sleep(patience).await,
                None => std::future::pending().await,
            }
        };
        tokio::pin!(patience);
        loop {
            self.wake.mark_unchanged();
            if let Some(decided) = self.look() {
                return decided;
            }
            tokio::select! {
                // The sender lives as long as the stream, and that as long as this.
                _ = self.wake.changed() => {}
                () = &mut patience => self.backlog.shelf.lock().decide(self.stream),
            }
        }
    }

    fn look(&self) -> Option<Decided> {
        let is_events = {
            let mut shelf = self.backlog.shelf.lock();
            let Some(state) = shelf.streams.get_mut(&self.stream) else {
                return Some(Decided::Answers(Vec::new()));
            };
            match &mut state.phase {
                Phase::Undecided { answers } if state.open == 0 => {
                    return Some(Decided::Answers(std::mem::take(answers)));
                }
                Phase::Undecided { .. } => false,
                Phase::Events => true,
            }
        };
        if !is_events {
            return None;
        }
        // Nothing follows where all that was told was lost, or its client cancelled it.
        let reader = self.backlog.resume(self.stream, 0);
        Some(reader.map_or_else(|| Decided::Answers(Vec::new()), Decided::Events))
    }
}

impl Drop for Undecided {
    fn drop(&mut self) {
        let mut shelf = self.backlog.shelf.lock();
        let is_decided = shelf
            .streams
            .get(&self.stream)
            .is_none_or(|state| matches!(state.phase, Phase::Events));
        if !is_decided {
            shelf.streams.remove(&self.stream);
        }
    }
}

/// Reads a stream, event by event.
pub(super) struct Reader {
    backlog: Backlog,
    stream: NonZeroU64,
    /// The last place that was read.
    place: u64,
    number: u64,
    wake: watch::Receiver<()>,
}

/// What a reader finds.
enum Found {
    Event(Bytes),
    NothingYet,
    /// All was told, or another reader took over.
    End,
}

impl Reader {
    /// The name of the last event that was read.
    pub(super) fn at(&self) -> EventId {
        EventId::Told { stream: self.stream, place: self.place }
    }

    /// The next event; `None` when the stream has ended or another reads it now. Dropping the
    /// future loses none.
    pub(super) async fn next(&mut self) -> Option<Bytes> {
        loop {
            self.wake.mark_unchanged();
            match self.look() {
                Found::Event(event) => return Some(event),
                Found::End => return None,
                Found::NothingYet => {}
            }
            if self.wake.changed().await.is_err() {
                return None;
            }
        }
    }

    fn look(&mut self) -> Found {
        let mut shelf = self.backlog.shelf.lock();
        let (stream, place) = (self.stream, self.place);
        let Some(state) = shelf.streams.get(&stream) else { return Found::End };
        if state.reader != self.number {
            return Found::End;
        }
        let is_over = state.over.is_some();
        let next = shelf.events.iter_mut().find(|kept| kept.stream == stream && kept.place > place);
        match next {
            Some(kept) => {
                kept.is_read = true;
                self.place = kept.place;
                Found::Event(kept.event.clone())
            }
            None if is_over => Found::End,
            None => Found::NothingYet,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::message::RequestId;

    fn backlog(events: usize, bytes: u64) -> Backlog {
        Backlog::new(&Limits {
            events_per_session: events.try_into().unwrap(),
            event_bytes_per_session: bytesize::ByteSize(bytes),
            ..Limits::default()
        })
    }

    fn notice(text: &str) -> Payload {
        Payload::notification(text, None)
    }

    fn answer(text: &str) -> Answer {
        let id = RequestId::of_text("1");
        Ok(Payload::result(&id, [Bytes::from(format!("{text:?}"))]))
    }

    async fn events(undecided: Undecided) -> Reader {
        match undecided.decided(Some(Duration::ZERO)).await {
            Decided::Events(reader) => reader,
            Decided::Answers(_) => panic!("no stream"),
        }
    }

    /// What a reader gets until it would have to wait, or `.` where the stream ends.
    fn read(reader: &mut Reader) -> String {
        let mut read = String::new();
        loop {
            match reader.look() {
                Found::Event(event) => {
                    let event = String::from_utf8(event.to_vec()).unwrap();
                    let said = event.split('"').rev().nth(1).unwrap();
                    let id = event.trim_end().rsplit(' ').next().unwrap();
                    read.push_str(&format!("{said}@{id} "));
                }
                Found::NothingYet => return read,
                Found::End => return read + ".",
            }
        }
    }

    #[test]
    fn ids_read_as_they_were_written() {
        for text in ["0_7", "1_0", "18446744073709551615_3"] {
            assert_eq!(text.parse::<EventId>().ok().unwrap().to_string(), text);
        }
        for text in
            ["", "1", "_", "1_", "_1", "+1_1", "1_-1", "1_1_1", "a_b", "99999999999999999999_1"]
        {
            assert!(text.parse::<EventId>().is_err(), "{text}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn answers_alone_go_out_as_json_and_are_not_kept() {
        let backlog = backlog(8, 1_000);
        let (undecided, tellers) = backlog.open(2);
        for (teller, said) in tellers.into_iter().zip(["a", "b"]) {
            teller.answer(answer(said));
        }
        let Decided::Answers(answers) = undecided.decided(None).await else { panic!("a stream") };
        assert_eq!(answers.len(), 2);
        let shelf = backlog.shelf.lock();
        assert_eq!((shelf.streams.len(), shelf.events.len()), (0, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_left_before_there_was_a_stream_leaves_nothing() {
        let backlog = backlog(8, 1_000);
        let (undecided, mut tellers) = backlog.open(1);
        drop(undecided);
        let teller = tellers.pop().unwrap();
        assert!(!teller.demand(notice("a")), "there is nobody who could be asked");
        teller.answer(answer("b"));
        assert!(backlog.shelf.lock().streams.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn a_reader_goes_on_where_another_stopped() {
        let backlog = backlog(8, 1_000);
        let (undecided, mut tellers) = backlog.open(1);
        let teller = tellers.pop().unwrap();
        teller.advise(notice("a"));
        let mut first = events(undecided).await;
        assert_eq!(read(&mut first), "a@1_1 ");
        teller.advise(notice("b"));
        let stream = NonZeroU64::MIN;
        let mut second = backlog.resume(stream, 1).unwrap();
        assert_eq!(read(&mut first), ".");
        teller.answer(answer("c"));
        assert_eq!(read(&mut second), "b@1_2 c@1_3 .");
        assert_eq!(read(&mut backlog.resume(stream, 2).unwrap()), "c@1_3 .");
        assert!(backlog.resume(stream, 3).is_none(), "nothing follows its end");
        assert!(backlog.resume(stream.saturating_add(1), 0).is_none());

        tokio::time::advance(Limits::default().resume_time).await;
        backlog.sweep();
        assert!(backlog.resume(stream, 2).is_none());
        assert_eq!(backlog.shelf.lock().bytes, 0);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_read_or_only_advice_gives_way_first() {
        let backlog = backlog(3, 10_000);
        let (undecided, mut tellers) = backlog.open(1);
        let teller = tellers.pop().unwrap();
        teller.advise(notice("a"));
        let mut reader = events(undecided).await;
        assert!(teller.demand(notice("b")));
        teller.advise(notice("c"));
        assert!(teller.demand(notice("d")));
        assert_eq!(read(&mut reader), "b@1_2 c@1_3 d@1_4 ", "`a` was advice");
        for said in ["e", "f", "g"] {
            assert!(teller.demand(notice(said)));
        }
        teller.advise(notice("h"));
        assert_eq!(read(&mut reader), "e@1_5 f@1_6 g@1_7 ", "no advice in their place");
        teller.answer(answer("i"));
        assert_eq!(read(&mut reader), "i@1_9 .");
    }

    #[tokio::test(start_paused = true)]
    async fn bytes_are_bounded_but_one_event_always_fits() {
        let backlog = backlog(100, 200);
        let (undecided, mut tellers) = backlog.open(1);
        let teller = tellers.pop().unwrap();
        assert!(teller.demand(notice("a")));
        assert!(teller.demand(notice(&"x".repeat(1_000))));
        assert!(teller.demand(notice("b")));
        {
            let shelf = backlog.shelf.lock();
            assert_eq!(shelf.events.len(), 1);
            assert_eq!(shelf.bytes, shelf.events[0].event.len());
        }
        assert_eq!(read(&mut events(undecided).await), "b@1_3 ");
        teller.answer(answer("c"));
    }
}
