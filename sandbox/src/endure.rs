//! Runs a call where it is asked for, and moves it away if it takes longer than a moment.
//!
//! Most guests answer within microseconds, and handing them to another thread and back would cost
//! more than they do. One that computes on is carried over, as it is, to threads of lower priority
//! that only guests use: a thousand others are served meanwhile by those it would have held up.

use std::{
    pin::Pin,
    sync::{Arc, atomic::Ordering},
    task::{Context, Poll},
    time::Duration,
};

use tokio::{runtime::Handle, task::JoinHandle};

use super::state::Watch;

/// How long a guest that looks out for cancellation may take over its farewell.
const FAREWELL: Duration = Duration::from_millis(200);

/// A guest's work, wherever it runs. Dropped, the guest is stopped.
pub(crate) struct Endure<F>
where
    F: Future + Send + 'static,
    F::Output: Send,
{
    place: Place<F>,
    watch: Arc<Watch>,
    guests: Handle,
    /// Whether the guest looks out for cancellation.
    asks: bool,
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
    /// `watch` is that of the guest in `work`; `guests` is where it goes if it is slow.
    pub(crate) fn new(work: F, watch: Arc<Watch>, guests: Handle, asks: bool) -> Self {
        Self { place: Place::Here(Box::pin(work)), watch, guests, asks }
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
                        self.place = Place::Done;
                        return Poll::Ready(output);
                    }
                    if !self.watch.is_slow.load(Ordering::Relaxed) {
                        return Poll::Pending;
                    }
                    if let Place::Here(work) = std::mem::replace(&mut self.place, Place::Done) {
                        self.place = Place::Away(self.guests.spawn(work));
                    }
                }
                Place::Away(work) => {
                    let Poll::Ready(ended) = Pin::new(work).poll(cx) else { return Poll::Pending };
                    self.place = Place::Done;
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
        match (std::mem::replace(&mut self.place, Place::Done), self.asks) {
            (Place::Here(work), true) => {
                self.guests.spawn(tokio::time::timeout(FAREWELL, work));
            }
            (Place::Away(work), true) => {
                self.guests.spawn(async move {
                    tokio::time::sleep(FAREWELL).await;
                    work.abort();
                });
            }
            (Place::Away(work), false) => work.abort(),
            (Place::Here(_), false) | (Place::Done, _) => {}
        }
    }
}
