//! What the calls of a session tell its client, kept until it is read and a while longer: a client
//! that was cut off goes on where it stopped (MCP 2025-11-25, transports, Resumability and
//! Redelivery).
//!
//! Each POST has a stream of its own, which begins undecided: as long as there is nothing but
//! answers, they go out as JSON, and nothing is kept.

mod event_id;
mod reader;
mod room;
mod shelf;
mod teller;

use std::{num::NonZeroU64, sync::Arc};

use parking_lot::Mutex;

use self::shelf::{Phase, Shelf};
pub(in crate::client) use self::{
    event_id::EventId,
    room::{Room, Share},
};
pub(super) use self::{
    reader::{Decided, Reader, Undecided},
    shelf::Lost,
    teller::Teller,
};
use crate::{
    client::{error::Refusal, message::RequestId, payload::Payload},
    model::limits::Limits,
};

/// How a request ended: what goes to its client.
pub(super) type Answer = Result<Payload, Refusal>;

/// The streams of one session. Cheap to clone.
#[derive(Clone)]
pub(super) struct Backlog {
    shelf: Arc<Mutex<Shelf>>,
}

impl Backlog {
    pub(super) fn new(limits: &Limits, share: Share) -> Self {
        Self { shelf: Arc::new(Mutex::new(Shelf::new(limits, share))) }
    }

    /// The room of its user.
    pub(super) fn share(&self) -> Share {
        self.shelf.lock().share.clone()
    }

    /// A stream for the request `id`.
    pub(super) fn open(&self, id: RequestId) -> (Undecided, Teller) {
        let undecided = self.begin(1);
        let teller = undecided.teller(Some(id));
        (undecided, teller)
    }

    /// A stream for all requests of a batch, each of which has one of the tellers.
    pub(super) fn open_batch(&self, ids: Vec<Option<RequestId>>) -> (Undecided, Vec<Teller>) {
        let undecided = self.begin(ids.len());
        let tellers = ids.into_iter().map(|id| undecided.teller(id)).collect();
        (undecided, tellers)
    }

    fn begin(&self, requests: usize) -> Undecided {
        let (stream, wake) = self.shelf.lock().open(requests);
        Undecided { backlog: self.clone(), stream, wake }
    }

    /// Goes on after `place`; whoever read the stream before stops. `None` when nothing follows:
    /// the stream has ended there, or is kept no more.
    pub(super) fn resume(&self, stream: NonZeroU64, place: u64) -> Option<Reader> {
        let mut shelf = self.shelf.lock();
        let resumed = shelf.streams.get(&stream)?;
        let has_ended = resumed.over.is_some() && !shelf.has_after(stream, place);
        if has_ended || matches!(resumed.phase, Phase::Undecided { .. }) {
            return None;
        }
        Reader::begin(self, &mut shelf, stream, place)
    }

    /// Lets go of what ended long ago.
    pub(super) fn sweep(&self) {
        self.shelf.lock().sweep();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bytes::Bytes;
    use tokio_util::sync::CancellationToken;

    use super::{reader::Found, *};
    use crate::{
        hub::{Hub, router},
        model::id::UserId,
    };

    const ROOM_BYTES: usize = 1024 * 1024;
    const FIRST: NonZeroU64 = NonZeroU64::MIN;
    const SECOND: NonZeroU64 = NonZeroU64::new(2).unwrap();

    fn backlog(events: usize, bytes: u64) -> Backlog {
        let limits = Limits {
            events_per_session: events.try_into().unwrap(),
            event_bytes_per_session: bytesize::ByteSize(bytes),
            ..Limits::default()
        };
        let hub = Hub::new(Arc::default(), router::Options::default(), None, None);
        let room = Arc::new(Room::new(ROOM_BYTES));
        Backlog::new(&limits, Share::first(&room, ROOM_BYTES, hub.user(&UserId::public())))
    }

    fn taken(backlog: &Backlog) -> usize {
        backlog.share().taken()
    }

    fn id(n: usize) -> RequestId {
        RequestId::of_text(&n.to_string())
    }

    fn ids(count: usize) -> Vec<Option<RequestId>> {
        (1..=count).map(|n| Some(id(n))).collect()
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

    #[tokio::test(start_paused = true)]
    async fn answers_alone_go_out_as_json_and_are_not_kept() {
        let backlog = backlog(8, 1_000);
        let (undecided, tellers) = backlog.open_batch(ids(2));
        for (teller, said) in tellers.into_iter().zip(["a", "b"]) {
            teller.answer(answer(said));
        }
        let Decided::Answers(answers) = undecided.decided(None).await else { panic!("a stream") };
        assert_eq!(answers.len(), 2);
        assert_eq!(backlog.shelf.lock().sizes(), (0, 0, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_left_before_there_was_a_stream_leaves_nothing() {
        let backlog = backlog(8, 1_000);
        let (undecided, teller) = backlog.open(id(1));
        drop(undecided);
        assert_eq!(teller.demand(notice("a")).err(), Some(Lost::Left), "there is nobody to ask");
        teller.answer(answer("b"));
        assert_eq!(backlog.shelf.lock().sizes(), (0, 0, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn a_reader_goes_on_where_another_stopped() {
        let backlog = backlog(8, 1_000);
        let (undecided, teller) = backlog.open(id(1));
        teller.advise(notice("a"));
        let mut first = events(undecided).await;
        assert_eq!(read(&mut first), "a@1_1 ");
        teller.advise(notice("b"));
        let mut second = backlog.resume(FIRST, 1).unwrap();
        assert_eq!(read(&mut first), ".");
        teller.answer(answer("c"));
        assert_eq!(read(&mut second), "b@1_2 c@1_3 .");
        assert_eq!(read(&mut backlog.resume(FIRST, 2).unwrap()), "c@1_3 .");
        assert!(backlog.resume(FIRST, 3).is_none(), "nothing follows its end");
        assert!(backlog.resume(FIRST.saturating_add(1), 0).is_none());

        tokio::time::advance(Limits::default().resume_time).await;
        backlog.sweep();
        assert!(backlog.resume(FIRST, 2).is_none());
        assert_eq!(backlog.shelf.lock().sizes(), (0, 0, 0));
    }

    /// Tells all that needs to be told.
    fn demand(teller: &Teller, said: &str) {
        teller.demand(notice(said)).unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn advice_gives_way_first_and_never_takes_the_place_of_more() {
        let backlog = backlog(3, 10_000);
        let (undecided, teller) = backlog.open(id(1));
        teller.advise(notice("a"));
        let mut reader = events(undecided).await;
        demand(&teller, "b");
        teller.advise(notice("c"));
        demand(&teller, "d");
        assert_eq!(read(&mut reader), "a@1_1 b@1_2 c@1_3 d@1_4 ", "one reads along");
        drop(reader);
        for said in ["e", "f", "g"] {
            teller.advise(notice(said));
        }
        let mut reader = backlog.resume(FIRST, 0).unwrap();
        assert_eq!(read(&mut reader), "b@1_2 d@1_4 g@1_7 ", "what is needed stays");
        demand(&teller, "h");
        drop(reader);
        for said in ["i", "j", "k"] {
            demand(&teller, said);
        }
        teller.advise(notice("l"));
        let mut reader = backlog.resume(FIRST, 7).unwrap();
        assert_eq!(read(&mut reader), "i@1_9 j@1_10 k@1_11 ");
        teller.answer(answer("m"));
        assert_eq!(read(&mut reader), "m@1_12 .");
    }

    #[tokio::test(start_paused = true)]
    async fn who_reads_along_loses_nothing_to_others_however_large() {
        let backlog = backlog(2, 1_000);
        let (undecided, tellers) = backlog.open_batch(ids(8));
        for teller in tellers {
            teller.answer(answer(&"x".repeat(900)));
        }
        let (_other, teller) = backlog.open(id(1));
        teller.advise(notice("n"));
        // It turns out to be a stream when all has been answered.
        backlog.shelf.lock().decide(FIRST);
        let mut reader = events(undecided).await;
        assert_eq!(read(&mut reader).matches("@1_").count(), 8);
        drop(reader);
        let (_, _, bytes) = backlog.shelf.lock().sizes();
        assert!(bytes <= 1_000, "nobody is left who reads");
    }

    #[tokio::test(start_paused = true)]
    async fn a_large_answer_without_room_is_an_error_and_not_silence() {
        let backlog = backlog(8, 10_000);
        let large = "x".repeat(600_000);
        let (undecided, tellers) = backlog.open_batch(ids(2));
        backlog.shelf.lock().decide(FIRST);
        let mut reader = events(undecided).await;
        for teller in tellers {
            teller.answer(answer(&large));
        }
        let events = [reader.next().await, reader.next().await].map(Option::unwrap);
        assert!(events[0].len() > large.len());
        let said = String::from_utf8(events[1].to_vec()).unwrap();
        assert!(
            said.contains(r#""id":2,"error""#) && said.contains("limits.event_bytes)"),
            "{said}"
        );
        assert_eq!(taken(&backlog), 0, "it was read");

        // The same where nobody reads, and a bound of the session is in the way.
        let (undecided, tellers) = backlog.open_batch(ids(2));
        backlog.shelf.lock().decide(SECOND);
        drop(undecided);
        for teller in tellers {
            teller.answer(answer(&"x".repeat(100_000)));
        }
        let mut reader = backlog.resume(SECOND, 0).unwrap();
        let first = String::from_utf8(reader.next().await.unwrap().to_vec()).unwrap();
        assert!(first.contains(r#""id":1,"error""#), "{first}");
        assert!(reader.next().await.unwrap().len() > 100_000, "one fits whatever its size");
        assert!(reader.next().await.is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn the_answers_of_a_batch_wait_for_one_another_only_where_there_is_room() {
        let backlog = backlog(8, 10_000);
        let (undecided, tellers) = backlog.open_batch(ids(3));
        for teller in tellers {
            teller.answer(answer(&"x".repeat(600_000)));
        }
        assert!(taken(&backlog) > 600_000);
        let Decided::Answers(answers) = undecided.decided(None).await else { panic!("a stream") };
        let answered: Vec<_> = answers.iter().map(Result::is_ok).collect();
        assert_eq!(answered, [true, false, false]);
        assert_eq!(taken(&backlog), 0);

        let (undecided, teller) = backlog.open(id(1));
        teller.answer(answer(&"x".repeat(2 * ROOM_BYTES)));
        let Decided::Answers(answers) = undecided.decided(None).await else { panic!("a stream") };
        assert!(answers[0].is_ok(), "one alone waits for nobody");
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_that_was_cancelled_ends_for_whoever_waits_to_know_what_it_is() {
        let backlog = backlog(1, 10_000);
        let (undecided, teller) = backlog.open(id(1));
        let (_other, other) = backlog.open(id(1));
        teller.advise(notice("a"));
        drop(teller);
        other.advise(notice("b"));
        match undecided.decided(None).await {
            Decided::Answers(answers) => assert!(answers.is_empty()),
            Decided::Events(mut reader) => assert_eq!(read(&mut reader), "."),
        }
    }

    /// Makes streams of events of it, as many as there are texts, and answers each with one.
    async fn answered(backlog: &Backlog, texts: &[String]) -> Vec<Reader> {
        let mut readers = Vec::new();
        for text in texts {
            let (undecided, teller) = backlog.open(id(1));
            teller.advise(notice("a"));
            readers.push(events(undecided).await);
            teller.answer(answer(text));
        }
        readers
    }

    #[tokio::test(start_paused = true)]
    async fn who_has_read_holds_no_room_that_others_need() {
        let greedy = backlog(1_000, 100_000_000);
        let other = Backlog::new(&Limits::default(), greedy.share());
        let large = "x".repeat(ROOM_BYTES / 5);
        for _ in 0..20 {
            let mut reader = answered(&greedy, std::slice::from_ref(&large)).await.remove(0);
            assert!(read(&mut reader).contains(&large));
        }
        assert!(taken(&greedy) <= ROOM_BYTES * 3 / 4, "{}", taken(&greedy));
        let mut reader = answered(&other, std::slice::from_ref(&large)).await.remove(0);
        assert!(read(&mut reader).contains(&large), "there is room for another");
    }

    #[tokio::test(start_paused = true)]
    async fn no_user_takes_all_the_room() {
        let room = Arc::new(Room::new(4 * ROOM_BYTES));
        let hub = Hub::new(Arc::default(), router::Options::default(), None, None);
        let of = |user: &str| {
            let user = hub.user(&UserId::parse(user).unwrap());
            Backlog::new(&Limits::default(), Share::first(&room, 0, user))
        };
        let (alice, bob) = (of("alice"), of("bob"));
        let large = "x".repeat(ROOM_BYTES / 3);
        let hers = answered(&alice, &vec![large.clone(); 20]).await;
        let told = hers
            .into_iter()
            .filter_map(|mut reader| read(&mut reader).contains(&large).then_some(()));
        assert_eq!(told.count(), 2, "she has a quarter");
        let mut his = answered(&bob, std::slice::from_ref(&large)).await.remove(0);
        assert!(read(&mut his).contains(&large));
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_read_but_may_not_have_arrived_is_shortened_before_it_is_forgotten() {
        let backlog = backlog(100, 150_000);
        let large = "x".repeat(100_000);
        let mut readers = answered(&backlog, &[large.clone(), large.clone()]).await;
        for reader in &mut readers {
            assert!(read(reader).contains(&large));
        }
        drop(readers);
        let mut again = backlog.resume(FIRST, 0).unwrap();
        let mut told = String::new();
        while let Some(event) = again.next().await {
            told.push_str(std::str::from_utf8(&event).unwrap());
        }
        assert!(told.contains("limits.event_bytes_per_session"), "{told}");
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_who_waits_for_a_large_answer_is_told_nothing() {
        let large = "x".repeat(100_000);
        for is_read in [true, false] {
            let backlog = backlog(100, 150_000);
            for mut reader in answered(&backlog, &vec![large.clone(); 5]).await {
                assert_eq!(is_read, is_read && read(&mut reader).contains(&large));
            }
            let mut whole = 0;
            for stream in 1..=5 {
                let stream = NonZeroU64::new(stream).unwrap();
                let mut again = backlog.resume(stream, 0).expect("it is told something");
                let mut told = String::new();
                while let Some(event) = again.next().await {
                    told.push_str(std::str::from_utf8(&event).unwrap());
                }
                let is_whole = told.contains(&large);
                assert!(is_whole || told.contains("limits.event_bytes_per_session"), "{stream}");
                whole += u32::from(is_whole);
            }
            assert!(whole >= 1, "as much as there is room for");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_asked_is_told_that_the_question_is_lost() {
        let backlog = backlog(2, 10_000);
        let (undecided, teller) = backlog.open(id(1));
        let asked: Vec<_> =
            ["a", "b", "c"].into_iter().map(|said| teller.demand(notice(said)).unwrap()).collect();
        let lost = || asked.iter().map(CancellationToken::is_cancelled).collect::<Vec<_>>();
        assert_eq!(lost(), [false, false, false], "somebody is about to read them");
        let mut reader = events(undecided).await;
        assert!(reader.next().await.is_some());
        drop(reader);
        teller.demand(notice("d")).unwrap();
        teller.demand(notice("e")).unwrap();
        assert_eq!(lost(), [false, true, true], "the first was read");
    }

    #[tokio::test(start_paused = true)]
    async fn a_log_line_above_the_bound_throws_nothing_out() {
        let backlog = backlog(10, 1_000);
        let (undecided, teller) = backlog.open(id(1));
        teller.advise(notice("a"));
        teller.advise(notice(&"x".repeat(2_000)));
        teller.advise(notice("b"));
        assert_eq!(read(&mut events(undecided).await), "a@1_1 b@1_2 ");
    }

    #[tokio::test(start_paused = true)]
    async fn errors_that_wait_take_room_as_results_do() {
        let backlog = backlog(8, 10_000);
        let (undecided, tellers) = backlog.open_batch(ids(3));
        for teller in tellers {
            teller.answer(Err(Refusal::invalid_params("x".repeat(600_000))));
        }
        let Decided::Answers(answers) = undecided.decided(None).await else { panic!("a stream") };
        let sizes = answers.into_iter().map(|answer| answer.unwrap_err().size());
        assert_eq!(sizes.filter(|size| *size > 1_000).count(), 1);
    }
}
