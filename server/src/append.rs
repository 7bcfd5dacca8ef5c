//! Group commit: many submissions, one transaction.
//!
//! Whoever has a record puts it in a bounded queue and waits. One task takes what is there, commits it, and
//! answers. While it commits, the next batch gathers: under load the batches grow, and no one waits for a
//! timer. A full queue is refused at once, so that the browser's outbox keeps the record. What pages report of third
//! parties has a queue and a task of its own, so that no record waits for it.

use std::{sync::Arc, time::Duration};

use assent_store::{Appended, Batch, Count, NewRecord, Sighting, Store};
use tokio::{
    sync::{mpsc, oneshot, watch},
    task::JoinHandle,
    time::timeout,
};

use crate::ledger::checkpoints::Grown;

/// The most submissions in one commit.
const BATCH_MAX: usize = 512;
/// Reports of third parties, one of each page view, that may wait to be counted.
const REPORTS_MAX: usize = 256;
/// The most of them in one commit, which holds the database as long.
const REPORTS_BATCH_MAX: usize = 16;
/// How long a submission waits for its commit. Beyond that its sender tries again, whether or not it is committed
/// meanwhile.
const PATIENCE: Duration = Duration::from_secs(30);

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
}

/// The way into the log of records.
#[derive(Clone, Debug)]
pub(crate) struct Queue {
    sender: mpsc::Sender<Work>,
    reports: mpsc::Sender<Vec<Sighting>>,
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
        Ok(async {
            match timeout(PATIENCE, committed).await {
                Ok(Ok(answer)) => answer,
                Ok(Err(_)) | Err(_) => Err(NotStored::Failed),
            }
        })
    }

    /// Adds to a count with the next commit, without waiting for it.
    pub(crate) fn count(&self, count: Count) -> Result<(), NotStored> {
        self.sender
            .try_send(Work::Count(count))
            .map_err(|_| NotStored::Busy)
    }

    /// Counts the third parties of one page view soon, without waiting for it.
    pub(crate) fn third_parties(&self, sightings: Vec<Sighting>) -> Result<(), NotStored> {
        self.reports.try_send(sightings).map_err(|_| NotStored::Busy)
    }

    /// Waits until all reports are taken out of their queue. On one thread they then stand before whatever is written
    /// next.
    #[cfg(test)]
    pub(crate) async fn reports_taken(&self) {
        let _ = self.reports.reserve_many(self.reports.max_capacity()).await;
    }
}

/// The tasks behind a [`Queue`]; without them the queue takes nothing.
#[derive(Debug)]
pub(crate) struct Appender {
    /// Dropped, it ends them.
    stop: watch::Sender<()>,
    tasks: [JoinHandle<()>; 2],
}

impl Appender {
    /// Refuses new submissions, commits those that wait, and returns when that is done.
    pub(crate) async fn finish(self) {
        drop(self.stop);
        for task in self.tasks {
            if let Err(error) = task.await {
                tracing::error!(%error, "the appender ended badly");
            }
        }
    }
}

/// A queue that nobody drains; it lives as long as the second part.
#[cfg(test)]
pub(crate) fn stuck(len: usize) -> (Queue, impl Sized) {
    let (sender, receiver) = mpsc::channel(len);
    let (reports, reported) = mpsc::channel(len);
    (Queue { sender, reports }, (receiver, reported))
}

/// Starts the appender with a queue for `len` submissions. It tells which logs grew.
pub(crate) fn start(store: Arc<dyn Store>, len: usize, grown: Grown) -> (Queue, Appender) {
    let (sender, receiver) = mpsc::channel(len.max(1));
    let (reports, reported) = mpsc::channel(REPORTS_MAX);
    let (stop, stopped) = watch::channel(());
    let counted = Arc::clone(&store);
    let tasks = [
        tokio::spawn(drain(receiver, stopped.clone(), BATCH_MAX, async move |work| {
            append(store.as_ref(), &grown, work).await;
        })),
        tokio::spawn(drain(
            reported,
            stopped,
            REPORTS_BATCH_MAX,
            async move |reports| {
                count(counted.as_ref(), reports).await;
            },
        )),
    ];
    (Queue { sender, reports }, Appender { stop, tasks })
}

/// Takes what is in a queue, as much as there is, at most `batch_max`; once told to stop, until nothing is left.
async fn drain<T>(
    mut queue: mpsc::Receiver<T>,
    mut stopped: watch::Receiver<()>,
    batch_max: usize,
    mut take: impl AsyncFnMut(Vec<T>),
) {
    let mut open = true;
    loop {
        let mut taken = Vec::with_capacity(batch_max);
        tokio::select! {
            biased;
            _ = stopped.changed(), if open => {
                open = false;
                queue.close();
            }
            len = queue.recv_many(&mut taken, batch_max) => {
                if len == 0 {
                    return;
                }
                take(taken).await;
            }
        }
    }
}

async fn count(store: &dyn Store, reports: Vec<Vec<Sighting>>) {
    if let Err(error) = store.count_third_parties(&reports.concat()).await {
        tracing::error!(
            error = &error as &dyn std::error::Error,
            "third parties were not counted"
        );
    }
}

async fn append(store: &dyn Store, grown: &Grown, work: Vec<Work>) {
    let mut batch = Batch::default();
    let mut answers = Vec::with_capacity(work.len());
    for work in work {
        match work {
            Work::Record(record, answer) => {
                batch.records.push(record);
                answers.push(answer);
            }
            Work::Count(count) => batch.counts.push(count),
        }
    }
    let sites: Vec<_> = batch.records.iter().map(|new| new.record.site.clone()).collect();
    match store.append(batch).await {
        Ok(appended) => {
            debug_assert_eq!(appended.len(), answers.len(), "one answer for each record");
            for (site, appended) in sites.iter().zip(&appended) {
                if *appended == Appended::New {
                    grown.add(site);
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
                "a batch failed"
            );
            // It may have been committed all the same, and then awaits a checkpoint.
            for site in &sites {
                grown.add(site);
            }
            for answer in answers {
                let _ = answer.send(Err(NotStored::Failed));
            }
        }
    }
}
