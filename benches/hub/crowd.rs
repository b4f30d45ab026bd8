//! Thousands of sessions that do nothing but listen: what each keeps in memory, and how soon all
//! have heard of a change.

use std::time::Duration;

use anyhow::{Context, ensure};
use tokio::{
    sync::mpsc,
    task::JoinSet,
    time::{Instant, timeout},
};

use crate::{
    args::Pace,
    child::Server,
    compare::sorted,
    descriptors, guest,
    http::Connection,
    hub::{self, Home},
    provider::{register, tool},
    session::open_stream,
    user::{self, User},
};

pub(crate) const NAME: &str = "crowd";

/// How many streams come before the counted ones: the first ones bring caches and buffers that all
/// others share.
const FIRST: usize = 20;

/// Each of them has fewer sessions than a user may have by default.
const USERS: usize = 200;

const CHANGED: &str = "notifications/tools/list_changed";

/// How long news may be on their way before something is taken for broken.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) struct Crowd {
    pub(crate) streams: usize,
    /// What an open stream of a bare server keeps, in KiB.
    pub(crate) bare: f64,
    pub(crate) of_one: Listeners,
    pub(crate) of_many: Listeners,
}

/// Sessions, each with its stream open.
pub(crate) struct Listeners {
    pub(crate) users: usize,
    /// What each keeps in the hub, in KiB.
    pub(crate) each: f64,
    /// Milliseconds from a change until the last of them has heard of it; sorted.
    pub(crate) heard: Vec<f64>,
}

pub(crate) async fn measure(pace: &Pace) -> anyhow::Result<Crowd> {
    eprintln!("{} streams …", pace.streams);
    descriptors::allow(pace.streams + FIRST)?;
    Ok(Crowd {
        streams: pace.streams,
        bare: bare(pace.streams).await.context("failed to measure bare streams")?,
        of_one: of_one(pace).await.context("failed to measure the streams of one user")?,
        of_many: of_many(pace).await.context("failed to measure the streams of many users")?,
    })
}

async fn bare(streams: usize) -> anyhow::Result<f64> {
    let mut server = Server::role(&["hold"])?;
    let port = server.port_of("/mcp").await?;
    let (_open, each) = open(&server, port, user::ONLY, streams).await?;
    Ok(each)
}

/// All are one user's, who has one more provider each time.
async fn of_one(pace: &Pace) -> anyhow::Result<Listeners> {
    let (server, port) = hub::start().await?;
    let (open, each) = open(&server, port, user::ONLY, pace.streams).await?;
    let mut audience = Audience::of(open);
    let (mut heard, mut providers) = (Vec::new(), Vec::new());
    for number in 0..pace.repeats {
        let name = format!("news-{number}");
        let offer = [tool(&name)];
        let asked = Instant::now();
        providers.push(register(port, &name, &offer).await?);
        heard.push(audience.heard(asked).await?);
    }
    Ok(Listeners { users: 1, each, heard: sorted(heard.into_iter()) })
}

/// They are many users', all of whom are offered a plugin, or no longer.
async fn of_many(pace: &Pace) -> anyhow::Result<Listeners> {
    let home = Home::with_users()?;
    let (server, port) = home.start().await?;
    let (open, each) = open(&server, port, &User::many(USERS)?, pace.streams).await?;
    let mut audience = Audience::of(open);
    let wasm = guest::echo();
    // The first time it is compiled, too.
    let put = Instant::now();
    home.put("news", &wasm)?;
    audience.heard(put).await?;
    let mut heard = Vec::new();
    for _time in 0..pace.repeats {
        let removed = Instant::now();
        home.remove("news")?;
        heard.push(audience.heard(removed).await?);
        let put = Instant::now();
        home.put("news", &wasm)?;
        heard.push(audience.heard(put).await?);
    }
    Ok(Listeners { users: USERS, each, heard: sorted(heard.into_iter()) })
}

/// Opens `streams` sessions with their streams, of the `users` in turn; says what each keeps in
/// `server`, in KiB.
async fn open(
    server: &Server,
    port: u16,
    users: &[User],
    streams: usize,
) -> anyhow::Result<(Vec<Connection>, f64)> {
    let mut open = Vec::new();
    let mut users = users.iter().cycle();
    let mut before = 0.0;
    for number in 0..FIRST + streams {
        if number == FIRST {
            before = server.resident()?;
        }
        let user = users.next().context("streams of nobody")?;
        open.push(open_stream(port, user).await?);
    }
    let each = (server.resident()? - before) / f64::from(u32::try_from(streams)?);
    Ok((open, each))
}

/// All who listen.
struct Audience {
    listening: JoinSet<anyhow::Result<()>>,
    news: mpsc::Receiver<()>,
}

impl Audience {
    fn of(streams: Vec<Connection>) -> Self {
        let mut listening = JoinSet::new();
        // Nobody who has heard waits for the others.
        let (tell, news) = mpsc::channel(streams.len());
        for mut stream in streams {
            let tell = tell.clone();
            listening.spawn(async move {
                loop {
                    stream.hear(CHANGED).await?;
                    tell.send(()).await?;
                }
            });
        }
        Self { listening, news }
    }

    /// Waits until each has heard of one change; gives the milliseconds from `changed` until then.
    async fn heard(&mut self, changed: Instant) -> anyhow::Result<f64> {
        let all = async {
            for _listener in 0..self.listening.len() {
                self.news.recv().await.context("nobody listens any more")?;
            }
            anyhow::Ok(())
        };
        timeout(PATIENCE, all).await.context("not all have heard of a change")??;
        let taken = changed.elapsed().as_secs_f64() * 1e3;
        ensure!(self.news.is_empty(), "somebody heard of one change twice");
        ensure!(self.listening.try_join_next().is_none(), "a stream has ended");
        Ok(taken)
    }
}
