//! One instance: made for one call, and used for one only.

use tokio::time::{Instant, timeout_at};
use wasmtime::{
    Store,
    component::{Instance, InstancePre},
};

use super::{
    clock::TICK,
    denials::Denial,
    engine::Place,
    failure::{Cause, Failure, Met, OutOfTime},
    host::{Provider, ProviderPre},
    state::{Make, State},
};

/// What instances are made of.
pub(crate) enum Mould {
    Provider(ProviderPre<State>),
    Typed(InstancePre<State>),
}

/// A live guest.
pub(crate) enum Guest {
    Provider(Provider),
    Typed(Instance),
}

/// A store with its guest, and the place it takes among all.
pub(crate) struct Prepared {
    pub store: Store<State>,
    pub guest: Guest,
    _place: Place,
}

impl Make {
    /// A place for one more instance, if there is one.
    pub(crate) fn place(&self) -> Result<Place, Cause> {
        self.sandbox.place().ok_or(Cause::Busy { max: self.sandbox.instances_max() })
    }

    /// Instantiates in `store`: the guest's own code may run already.
    pub(crate) async fn instance(
        &self,
        mould: &Mould,
        mut store: Store<State>,
        place: Place,
    ) -> Result<Prepared, Failure> {
        let deadline = store.data().deadline();
        let made = match mould {
            Mould::Provider(pre) => {
                let made = self.in_time(deadline, pre.instantiate_async(&mut store)).await;
                made.map(Guest::Provider)
            }
            Mould::Typed(pre) => {
                let made = self.in_time(deadline, pre.instantiate_async(&mut store)).await;
                made.map(Guest::Typed)
            }
        };
        let guest = self.ended(made, store.data())?;
        Ok(Prepared { store, guest, _place: place })
    }

    /// Epochs do not wake a guest that waits in the host; this does.
    pub(crate) async fn in_time<T>(
        &self,
        deadline: Instant,
        work: impl Future<Output = wasmtime::Result<T>>,
    ) -> wasmtime::Result<T> {
        let late = |_elapsed| Err(OutOfTime(self.bounds.time).into());
        timeout_at(deadline + TICK, work).await.unwrap_or_else(late)
    }

    /// What came of a guest's work, or why nothing did.
    pub(crate) fn ended<T>(
        &self,
        outcome: wasmtime::Result<T>,
        state: &State,
    ) -> Result<T, Failure> {
        let error = match outcome {
            Ok(value) => return Ok(value),
            Err(error) => error,
        };
        let met = Met {
            bounds: &self.bounds,
            instances_max: self.sandbox.instances_max(),
            refused: state.meter.refused(),
            last_words: state.output.last_words(),
        };
        Err(Failure { cause: Cause::of(&error, &met), denials: self.farewell(state) })
    }

    /// Puts into the log what a guest had to say, and gives what it was refused.
    pub(crate) fn farewell(&self, state: &State) -> Vec<Denial> {
        let dropped = state.output.tell(|line| tracing::debug!(plugin = self.name, line, "said"));
        if dropped > 0 {
            tracing::debug!(plugin = self.name, dropped, "said more than is kept, in bytes");
        }
        let denials = state.denials.take();
        for denial in &denials {
            let Denial { wanted, grant } = denial;
            tracing::warn!(plugin = self.name, wanted, grant, "a plugin was refused a permission");
            self.denied.add(wanted, grant);
        }
        denials
    }
}
