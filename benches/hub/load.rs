//! A closed loop: each connection asks, waits for the answer, and asks again.

use std::{sync::Barrier, time::Duration};

use anyhow::{Context, anyhow, ensure};
use tokio::{
    runtime,
    task::JoinSet,
    time::{Instant, timeout},
};

use crate::{
    args::Pace,
    ask::Ask,
    child::Server,
    http::Connection,
    user::{self, User},
};

/// More would take the processors from the servers.
const THREADS: usize = 2;

/// An answer up to this size is compared byte by byte with the first; of a longer one, the length.
const COMPARED_BYTES_MAX: usize = 4 << 10;

/// How long a server may keep silent before it is taken for stuck.
const PATIENCE: Duration = Duration::from_secs(10);

/// Who is asked what.
pub(crate) struct Target<'a> {
    pub(crate) server: &'a Server,
    pub(crate) port: u16,
    pub(crate) ask: Ask,
    /// Those in whose names it is asked, in turn.
    pub(crate) users: &'a [User],
}

impl<'a> Target<'a> {
    /// A server that knows one user only.
    pub(crate) fn of(server: &'a Server, port: u16, ask: Ask) -> Self {
        Self { server, port, ask, users: user::ONLY }
    }
}

/// What one round has shown.
pub(crate) struct Round {
    pub(crate) per_second: f64,
    /// In microseconds, like all that follows.
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    /// Processor time of the asked server for each request.
    pub(crate) processor: f64,
}

pub(crate) fn drive(target: &Target<'_>, connections: usize, pace: &Pace) -> anyhow::Result<Round> {
    let threads = THREADS.min(connections);
    let all_open = Barrier::new(threads);
    let before = target.server.processor_seconds()?;
    let mut seen = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..threads)
            .map(|thread| {
                let ids = (1..=connections).skip(thread).step_by(threads);
                let all_open = &all_open;
                scope.spawn(move || drive_thread(target, connections, ids, all_open, pace))
            })
            .collect();
        let mut seen = Seen::default();
        for thread in threads {
            seen.add(thread.join().map_err(|_panic| anyhow!("a load thread panicked"))??);
        }
        anyhow::Ok(seen)
    })?;
    let processor = target.server.processor_seconds()? - before;
    Round::of(&mut seen, processor, pace)
}

impl Round {
    /// `processor` in seconds.
    pub(crate) fn of(seen: &mut Seen, processor: f64, pace: &Pace) -> anyhow::Result<Self> {
        ensure!(!seen.latencies.is_empty(), "not one request was answered in time");
        seen.latencies.sort_unstable();
        Ok(Self {
            per_second: float(seen.latencies.len()) / pace.round.as_secs_f64(),
            p50: percentile(&seen.latencies, 50),
            p99: percentile(&seen.latencies, 99),
            processor: processor * 1e6 / float(seen.requests),
        })
    }
}

#[derive(Default)]
pub(crate) struct Seen {
    /// In nanoseconds, of the requests sent within the round.
    latencies: Vec<u32>,
    /// All there were, the first ones and those of the warm-up included.
    requests: usize,
}

impl Seen {
    pub(crate) fn add(&mut self, other: Self) {
        self.latencies.extend(other.latencies);
        self.requests += other.requests;
    }

    /// One more request; it counts if it was sent after `from`.
    pub(crate) fn note(&mut self, from: Instant, sent: Instant, answered: Instant) {
        if sent >= from {
            let nanoseconds = (answered - sent).as_nanos();
            self.latencies.push(u32::try_from(nanoseconds).unwrap_or(u32::MAX));
        }
        self.requests += 1;
    }
}

fn drive_thread(
    target: &Target<'_>,
    connections: usize,
    ids: impl Iterator<Item = usize>,
    all_open: &Barrier,
    pace: &Pace,
) -> anyhow::Result<Seen> {
    let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
    let opened = runtime.block_on(async {
        let mut askers = Vec::new();
        for id in ids {
            let opened = timeout(PATIENCE, Asker::open(target, id, connections)).await;
            askers.push(opened.context("no answer to a first request")??);
        }
        anyhow::Ok(askers)
    });
    // Waited for even after a failure, or the other thread would wait forever.
    all_open.wait();
    let askers = opened?;
    runtime.block_on(async {
        let from = Instant::now() + pace.warm_up;
        let until = from + pace.round;
        let mut asking = JoinSet::new();
        let mut seen = Seen::default();
        for asker in askers {
            // The first answers cost processor time as well.
            seen.requests += asker.turns.len();
            asking.spawn(asker.ask_repeatedly(from, until));
        }
        let everything = async {
            while let Some(part) = asking.join_next().await {
                seen.add(part??);
            }
            Ok(seen)
        };
        let patience = pace.warm_up + pace.round + PATIENCE;
        timeout(patience, everything).await.context("a request got no answer")?
    })
}

/// One connection and what it asks, time after time.
struct Asker {
    connection: Connection,
    turns: Vec<Turn>,
}

/// What is asked in the name of one user.
struct Turn {
    request: Vec<u8>,
    /// The first answer, which was looked at closely; all others must be like it.
    expected: Vec<u8>,
}

impl Asker {
    /// Asks once for each of the users that are this connection's: together, `connections` of them
    /// have all.
    async fn open(
        target: &Target<'_>,
        connection: usize,
        connections: usize,
    ) -> anyhow::Result<Self> {
        // Some are compared with a server that has the same bytes for all.
        let id = match target.ask {
            Ask::List { .. } | Ask::Plugin(_) => 1,
            Ask::Call => connection,
        };
        let first = (connection - 1) % target.users.len();
        let mut connection = Connection::open(target.port).await?;
        let mut turns = Vec::new();
        for user in target.users[first..].iter().step_by(connections) {
            let request = target.ask.request(target.port, user, id);
            let expected = connection.exchange(&request).await?.to_vec();
            target.ask.check(&expected, id)?;
            turns.push(Turn { request, expected });
        }
        Ok(Self { connection, turns })
    }

    async fn ask_repeatedly(mut self, from: Instant, until: Instant) -> anyhow::Result<Seen> {
        let mut seen = Seen::default();
        let mut sent = Instant::now();
        for Turn { request, expected } in self.turns.iter().cycle() {
            if sent >= until {
                break;
            }
            let answer = self.connection.exchange(request).await?;
            let same = answer.len() == expected.len()
                && (answer.len() > COMPARED_BYTES_MAX || answer == expected);
            ensure!(same, "an answer unlike the first: {}", String::from_utf8_lossy(answer));
            let answered = Instant::now();
            seen.note(from, sent, answered);
            sent = answered;
        }
        Ok(seen)
    }
}

fn percentile(sorted: &[u32], percent: usize) -> f64 {
    f64::from(sorted[(sorted.len() - 1) * percent / 100]) / 1e3
}

pub(crate) fn float(count: usize) -> f64 {
    u32::try_from(count).map_or(f64::INFINITY, f64::from)
}
