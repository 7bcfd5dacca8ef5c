//! Group commit: many submissions, one transaction.
//!
//! Whoever has a record puts it in a bounded queue and waits. One task takes what is there, commits it, and
//! answers. While it commits, the next batch gathers: under load the batches grow, and no one waits for a
//! timer. A full queue is refused at once, so that the browser's outbox keeps the record.

use std::sync::Arc;

use assent_store::{Appended, Batch, Count, NewRecord, Sighting, Store};
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinHandle,
};

use crate::ledger::checkpoints::Grown;

/// The most submissions in one commit.
const BATCH_MAX: usize = 512;

/// Why a submission is not stored. In each case it is worth trying again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotStored {
    /// The queue is full, or the server is about to end.
    #[error("the queue is full")]
    Busy,
    /// The store failed; the log says why.
    #[error("the store failed")]
    Failed,
}

enum Work {
    Record(NewRecord, oneshot::Sender<Result<Appended, NotStored>>),
    Count(Count),
    ThirdParties(Vec<Sighting>),
}

/// The way into the log of records.
#[derive(Clone, Debug)]
pub(crate) struct Queue {
    sender: mpsc::Sender<Work>,
}

impl Queue {
    /// Puts a record in the queue. What is returned answers once the record is durable; the record is appended
    /// whether or not anybody waits for that.
    pub(crate) fn append(
        &self,
        record: NewRecord,
    ) -> Result<impl Future<Output = Result<Appended, NotStored>> + use<>, NotStored> {
        let (answer, committed) = oneshot::channel();
        self.sender
            .try_send(Work::Record(record, answer))
            .map_err(|_| NotStored::Busy)?;
        Ok(async { committed.await.unwrap_or(Err(NotStored::Failed)) })
    }

    /// Adds to a count with the next commit, without waiting for it.
    pub(crate) fn count(&self, count: Count) -> Result<(), NotStored> {
        self.sender
            .try_send(Work::Count(count))
            .map_err(|_| NotStored::Busy)
    }

    /// Counts the third parties of one page view after the next commit, without waiting for it.
    pub(crate) fn third_parties(&self, sightings: Vec<Sighting>) -> Result<(), NotStored> {
        self.sender
            .try_send(Work::ThirdParties(sightings))
            .map_err(|_| NotStored::Busy)
    }
}

/// The task behind a [`Queue`]; without it the queue takes nothing.
#[derive(Debug)]
pub(crate) struct Appender {
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Appender {
    /// Refuses new submissions, commits those that wait, and returns when that is done.
    pub(crate) async fn finish(self) {
        let _ = self.stop.send(());
        if let Err(error) = self.task.await {
            tracing::error!(%error, "the appender ended badly");
        }
    }
}

/// A queue that nobody drains; it lives as long as the second part.
#[cfg(test)]
pub(crate) fn stuck(len: usize) -> (Queue, impl Sized) {
    let (sender, receiver) = mpsc::channel(len);
    (Queue { sender }, receiver)
}

/// Starts the appender with a queue for `len` submissions. It tells which logs grew.
pub(crate) fn start(store: Arc<dyn Store>, len: usize, grown: Grown) -> (Queue, Appender) {
    let (sender, receiver) = mpsc::channel(len.max(1));
    let (stop, stopped) = oneshot::channel();
    let task = tokio::spawn(run(store, grown, receiver, stopped));
    (Queue { sender }, Appender { stop, task })
}

async fn run(
    store: Arc<dyn Store>,
    grown: Grown,
    mut queue: mpsc::Receiver<Work>,
    mut stopped: oneshot::Receiver<()>,
) {
    let mut work = Vec::with_capacity(BATCH_MAX);
    let mut open = true;
    loop {
        tokio::select! {
            biased;
            _ = &mut stopped, if open => {
                open = false;
                queue.close();
            }
            taken = queue.recv_many(&mut work, BATCH_MAX) => {
                if taken == 0 {
                    return;
                }
                commit(store.as_ref(), &grown, &mut work).await;
            }
        }
    }
}

async fn commit(store: &dyn Store, grown: &Grown, work: &mut Vec<Work>) {
    let mut batch = Batch::default();
    let mut answers = Vec::with_capacity(work.len());
    let mut sightings = Vec::new();
    for work in work.drain(..) {
        match work {
            Work::Record(record, answer) => {
                batch.records.push(record);
                answers.push(answer);
            }
            Work::Count(count) => batch.counts.push(count),
            Work::ThirdParties(seen) => sightings.extend(seen),
        }
    }
    append(store, grown, batch, answers).await;
    // Only now, so that no record waits for it.
    if !sightings.is_empty()
        && let Err(error) = store.count_third_parties(&sightings).await
    {
        tracing::error!(
            error = &error as &dyn std::error::Error,
            "third parties were not counted"
        );
    }
}

async fn append(
    store: &dyn Store,
    grown: &Grown,
    batch: Batch,
    answers: Vec<oneshot::Sender<Result<Appended, NotStored>>>,
) {
    if batch == Batch::default() {
        return;
    }
    match store.append(&batch).await {
        Ok(appended) => {
            debug_assert_eq!(appended.len(), answers.len(), "one answer for each record");
            for (NewRecord { record, .. }, appended) in batch.records.iter().zip(&appended) {
                if *appended == Appended::New {
                    grown.add(&record.site);
                }
            }
            // A closed receiver is a client that went away; its record is stored all the same.
            for (answer, appended) in answers.into_iter().zip(appended) {
                let _ = answer.send(Ok(appended));
            }
        }
        Err(error) => {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                records = answers.len(),
                "a batch was not stored"
            );
            for answer in answers {
                let _ = answer.send(Err(NotStored::Failed));
            }
        }
    }
}
