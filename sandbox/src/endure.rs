//! Runs a call where it is asked for, and moves it away if it takes longer than a moment.
//!
//! Most guests answer within microseconds, and handing them to another thread and back would cost
//! more than they do. One that computes on is carried over, as it is, to threads of lower priority
//! that only guests use: a thousand others are served meanwhile by those it would have held up.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use tokio::{runtime::Handle, task::JoinHandle};

use super::state::Watch;

/// How long a guest that looks out for cancellation may take over its farewell.
const FAREWELL: Duration = Duration::from_millis(200);

/// How the guests of one plugin are run.
#[derive(Debug)]
pub(crate) struct Manner {
    /// The threads that only guests use.
    pub guests: Handle,
    /// Whether they look out for cancellation.
    pub asks: bool,
    /// Whether the last one took longer than a moment. Then the next begins where slow guests are:
    /// else a flood of them would hold up everybody for a moment each.
    is_slow: AtomicBool,
}

impl Manner {
    pub(crate) fn new(guests: Handle, asks: bool) -> Self {
        Self { guests, asks, is_slow: AtomicBool::new(false) }
    }
}

/// A guest's work, wherever it runs. Dropped, the guest is stopped.
pub(crate) struct Endure<F>
where
    F: Future + Send + 'static,
    F::Output: Send,
{
    place: Place<F>,
    watch: Arc<Watch>,
    manner: Arc<Manner>,
}

enum Place<F: Future> {
    Here(Pin<Box<F>>),
    Away(JoinHandle<F::Output>),
    Done,
}

impl<F> Endure<F>
where
    F: Future + Send + 'static,
    F::Output: Send,
{
    /// `watch` is that of the guest in `work`.
    pub(crate) fn new(work: F, watch: Arc<Watch>, manner: Arc<Manner>) -> Self {
        let work = Box::pin(work);
        let place = match manner.is_slow.load(Ordering::Relaxed) {
            true => Place::Away(manner.guests.spawn(work)),
            false => Place::Here(work),
        };
        Self { place, watch, manner }
    }

    fn done(&mut self) {
        self.manner.is_slow.store(self.watch.is_slow(), Ordering::Relaxed);
        self.place = Place::Done;
    }
}

impl<F> Future for Endure<F>
where
    F: Future + Send + 'static,
    F::Output: Send,
{
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        loop {
            match &mut self.place {
                Place::Here(work) => {
                    if let Poll::Ready(output) = work.as_mut().poll(cx) {
                        self.done();
                        return Poll::Ready(output);
                    }
                    if !self.watch.is_slow() {
                        return Poll::Pending;
                    }
                    if let Place::Here(work) = std::mem::replace(&mut self.place, Place::Done) {
                        self.place = Place::Away(self.manner.guests.spawn(work));
                    }
                }
                Place::Away(work) => {
                    let Poll::Ready(ended) = Pin::new(work).poll(cx) else { return Poll::Pending };
                    self.done();
                    match ended {
                        Ok(output) => return Poll::Ready(output),
                        Err(error) if error.is_panic() => {
                            std::panic::resume_unwind(error.into_panic())
                        }
                        // The guests' threads have stopped: so does everything.
                        Err(_) => return Poll::Pending,
                    }
                }
                Place::Done => return Poll::Pending,
            }
        }
    }
}

// The work is boxed and the rest is plain.
impl<F> Unpin for Endure<F>
where
    F: Future + Send + 'static,
    F::Output: Send,
{
}

impl<F> Drop for Endure<F>
where
    F: Future + Send + 'static,
    F::Output: Send,
{
    fn drop(&mut self) {
        self.watch.is_cancelled.store(true, Ordering::Relaxed);
        let Manner { guests, asks, .. } = &*self.manner;
        match (std::mem::replace(&mut self.place, Place::Done), asks) {
            (Place::Here(work), true) => {
                guests.spawn(tokio::time::timeout(FAREWELL, work));
            }
            (Place::Away(work), true) => {
                guests.spawn(async move {
                    tokio::time::sleep(FAREWELL).await;
                    work.abort();
                });
            }
            (Place::Away(work), false) => work.abort(),
            (Place::Here(_), false) | (Place::Done, _) => {}
        }
    }
}
