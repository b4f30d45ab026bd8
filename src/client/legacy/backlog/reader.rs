//! The end of a stream at which its client hears: undecided at first, then event by event.

use std::{num::NonZeroU64, time::Duration};

use bytes::Bytes;
use tokio::{sync::watch, time::sleep};

use super::{
    Answer, Backlog, Teller,
    event_id::EventId,
    shelf::{Phase, Shelf},
};
use crate::client::message::RequestId;

/// A stream of which is not known yet whether it will be one. Nobody can come back to it.
pub(in crate::client::legacy) struct Undecided {
    pub(super) backlog: Backlog,
    pub(super) stream: NonZeroU64,
    pub(super) wake: watch::Receiver<()>,
}

/// What became of it.
pub(in crate::client::legacy) enum Decided {
    /// All answers there will be; requests that were cancelled have none.
    Answers(Vec<Answer>),
    /// A stream to be read from its beginning.
    Events(Reader),
}

impl Undecided {
    pub(super) fn teller(&self, id: Option<RequestId>) -> Teller {
        Teller { backlog: self.backlog.clone(), stream: self.stream, id }
    }

    /// Waits until every request is answered or there is something to tell before. After
    /// `patience` it is a stream in any case; `None` for a client that cannot read one.
    pub(in crate::client::legacy) async fn decided(
        mut self,
        patience: Option<Duration>,
    ) -> Decided {
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
                () = &mut patience => {
                    let mut shelf = self.backlog.shelf.lock();
                    shelf.decide(self.stream);
                    return self.events(&mut shelf);
                }
            }
        }
    }

    fn look(&self) -> Option<Decided> {
        let mut shelf = self.backlog.shelf.lock();
        let Some(state) = shelf.streams.get_mut(&self.stream) else {
            return Some(Decided::Answers(Vec::new()));
        };
        match &mut state.phase {
            Phase::Undecided { answers } if state.open == 0 => {
                let answers = std::mem::take(answers);
                Some(Decided::Answers(answers.into_iter().map(|waiting| waiting.answer).collect()))
            }
            Phase::Undecided { .. } => None,
            Phase::Events => Some(self.events(&mut shelf)),
        }
    }

    fn events(&self, shelf: &mut Shelf) -> Decided {
        match Reader::begin(&self.backlog, shelf, self.stream, 0) {
            Some(reader) => Decided::Events(reader),
            None => Decided::Answers(Vec::new()),
        }
    }
}

impl Drop for Undecided {
    fn drop(&mut self) {
        let mut shelf = self.backlog.shelf.lock();
        let Some(state) = shelf.streams.get_mut(&self.stream) else { return };
        match state.phase {
            Phase::Undecided { .. } => drop(shelf.streams.remove(&self.stream)),
            // Its client left before it could learn that it is a stream.
            Phase::Events if state.reader == 0 => {
                state.is_read = false;
                shelf.trim();
            }
            Phase::Events => {}
        }
    }
}

/// Reads a stream, event by event.
pub(in crate::client::legacy) struct Reader {
    backlog: Backlog,
    stream: NonZeroU64,
    /// The last place that was read.
    place: u64,
    number: u64,
    wake: watch::Receiver<()>,
}

/// What a reader finds.
pub(super) enum Found {
    Event(Bytes),
    NothingYet,
    /// All was told, or another reader took over.
    End,
}

impl Reader {
    /// Reads `stream` after `place`; whoever read it before stops. `None` if there is no such
    /// stream any more.
    pub(super) fn begin(
        backlog: &Backlog,
        shelf: &mut Shelf,
        stream: NonZeroU64,
        place: u64,
    ) -> Option<Self> {
        let state = shelf.streams.get_mut(&stream)?;
        state.reader += 1;
        state.is_read = true;
        state.wake.send_replace(());
        let (number, wake) = (state.reader, state.wake.subscribe());
        Some(Self { backlog: backlog.clone(), stream, place, number, wake })
    }

    /// The name of the last event that was read.
    pub(in crate::client::legacy) fn at(&self) -> EventId {
        EventId::Told { stream: self.stream, place: self.place }
    }

    /// The next event; `None` when the stream has ended or another reads it now. Dropping the
    /// future loses none.
    pub(in crate::client::legacy) async fn next(&mut self) -> Option<Bytes> {
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

    /// The next event, if it has been told already.
    pub(in crate::client::legacy) fn told(&mut self) -> Option<Bytes> {
        match self.look() {
            Found::Event(event) => Some(event),
            Found::NothingYet | Found::End => None,
        }
    }

    pub(super) fn look(&mut self) -> Found {
        let mut shelf = self.backlog.shelf.lock();
        let Some(state) = shelf.streams.get(&self.stream) else { return Found::End };
        if state.reader != self.number {
            return Found::End;
        }
        let is_over = state.over.is_some();
        match shelf.read_after(self.stream, self.place) {
            Some((place, event)) => {
                self.place = place;
                Found::Event(event)
            }
            None if is_over => Found::End,
            None => Found::NothingYet,
        }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        let mut shelf = self.backlog.shelf.lock();
        if let Some(state) = shelf.streams.get_mut(&self.stream)
            && state.reader == self.number
        {
            state.is_read = false;
            shelf.trim();
        }
    }
}
