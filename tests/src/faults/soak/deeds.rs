//! How each fault is carried out in a soak: begun, endured, and ended.

use super::{Deed, Gauge, IDLE, Soak};
use crate::backend;
use crate::faults::crowd::{self, Held};
use crate::faults::end::UnderWay;
use crate::faults::failing;
use crate::faults::proxy::Proxy;
use crate::faults::scene::RATE;
use crate::faults::{Fault, change};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// More silent clients than nearside has descriptors.
const CROWD: usize = 1_100;
/// How long a new client may have to wait after the crowd has gone.
const BACK: Duration = Duration::from_secs(30);

impl Soak {
    /// Carries out one fault to its end, until all is as it was.
    pub(super) async fn carry_out(&mut self, fault: Fault) -> Deed {
        let mut deed = Deed {
            fault,
            began: Instant::now(),
            struck: Vec::new(),
            kills: Vec::new(),
            draining: None,
            wrong: Vec::new(),
            after: Gauge::default(),
        };
        match fault {
            Fault::Reloads => self.change_often().await,
            Fault::BadFile => self.spoil(&mut deed).await,
            Fault::Drain => self.mark(true, &mut deed).await,
            Fault::Undrain => self.mark(false, &mut deed).await,
            Fault::Certificate => self.renew(&mut deed).await,
            Fault::Upgrade => {
                tokio::task::block_in_place(|| self.nearside.upgrade());
                self.load.more(RATE).await;
            }
            Fault::Sigterm => self.replace(&mut deed).await,
            Fault::Descriptors => deed.wrong = self.crowd().await,
            Fault::Idle => self.hold(&mut deed).await,
            Fault::NameServer => self.silence().await,
            Fault::Flap => self.flap(&mut deed).await,
            Fault::KillOne
            | Fault::StopOne
            | Fault::Refuse
            | Fault::Errors
            | Fault::HiddenErrors
            | Fault::Drip
            | Fault::KillTier
            | Fault::StopTier
            | Fault::ErrorsTier => self.strike(&mut deed).await,
        }
        if fault != Fault::Drain {
            deed.wrong.extend(self.recovered().await);
            // What drips still is a part of this fault: the next one may be the end of who drips.
            self.load.pause().await;
            self.load.resume();
        }
        deed.after = Gauge::read(self.nearside.serving);
        deed
    }

    /// From two to five seconds of requests.
    fn while_it_lasts(&mut self) -> u64 {
        2 * RATE + self.random.below(3 * RATE)
    }

    /// One backend, three times out of four of the first tier; or a whole tier.
    fn victims(&mut self, fault: Fault) -> Vec<usize> {
        let tier = if self.random.below(4) == 0 { 2 } else { 0 };
        if matches!(fault, Fault::KillTier | Fault::StopTier | Fault::ErrorsTier) {
            return vec![tier, tier + 1];
        }
        vec![tier + usize::from(self.random.below(2) == 0)]
    }

    /// A fault of backends; every second time the configuration changes in its midst.
    async fn strike(&mut self, deed: &mut Deed) {
        deed.struck = self.victims(deed.fault);
        let (requests, changes) = (self.while_it_lasts(), self.random.below(2) == 0);
        let long = Duration::from_millis(1_000 * requests / RATE);
        let faulty: Vec<_> = deed.struck.iter().map(|number| &self.backends[*number]).collect();
        let kills = tokio::task::block_in_place(|| failing::strike(deed.fault, &faulty, long));
        deed.kills.extend(kills);
        self.load.more(requests / 2).await;
        if changes {
            let next = self.setup.next();
            self.apply(next).await;
        }
        self.load.more(requests / 2).await;
        self.heal(deed).await;
    }

    async fn heal(&mut self, deed: &Deed) {
        for number in &deed.struck {
            let process = &mut self.backends[*number];
            match deed.fault {
                Fault::KillOne | Fault::KillTier => process.again().await,
                Fault::StopOne | Fault::StopTier => backend::signal("CONT", &[process]),
                // It listens again by itself.
                Fault::Refuse => {}
                _ => tokio::task::block_in_place(|| process.control("fault/none")),
            }
        }
    }

    /// Down and up again, each second.
    async fn flap(&mut self, deed: &mut Deed) {
        deed.struck = self.victims(deed.fault);
        for _ in 0..3 {
            let process = &mut self.backends[deed.struck[0]];
            deed.kills.push(tokio::task::block_in_place(|| backend::kill(&[process])));
            self.load.more(RATE).await;
            process.again().await;
            self.load.more(RATE).await;
        }
    }

    async fn change_often(&mut self) {
        for _ in 0..20 {
            let next = self.setup.next();
            self.apply(next).await;
        }
    }

    async fn spoil(&mut self, deed: &mut Deed) {
        tokio::task::block_in_place(|| self.nearside.spoil());
        let requests = self.while_it_lasts();
        self.load.more(requests).await;
        if self.nearside.has_ended() {
            deed.wrong.push("it ended".to_owned());
        }
        let next = self.setup.next();
        self.apply(next).await;
    }

    async fn mark(&mut self, drained: bool, deed: &mut Deed) {
        let next = self.setup.marked(drained);
        deed.draining = drained.then_some(next.number);
        self.apply(next).await;
        let requests = self.while_it_lasts();
        self.load.more(requests).await;
    }

    /// A new certificate, while new connections look at it all the time.
    async fn renew(&mut self, deed: &mut Deed) {
        let stop = Arc::new(AtomicBool::new(false));
        let watch = tokio::spawn(change::watch(self.nearside.door(), Arc::clone(&stop)));
        let new = tokio::task::block_in_place(|| self.nearside.renew());
        let requests = self.while_it_lasts();
        self.load.more(requests).await;
        stop.store(true, Ordering::Relaxed);
        let seen = watch.await.expect("the watch went on");
        if seen.last().is_none_or(|look| look.shown != new) {
            deed.wrong.push("the new certificate was not shown in the end".to_owned());
        }
        let failed = seen.iter().filter(|look| look.shown.is_empty()).count();
        if failed > 0 {
            deed.wrong.push(format!("{failed} of {} handshakes failed", seen.len()));
        }
    }

    /// SIGTERM with answers on their way, and then another process. The load rests while nobody is there.
    async fn replace(&mut self, deed: &mut Deed) {
        let under_way = UnderWay::open(&self.nearside.door()).await;
        self.load.pause().await;
        tokio::task::block_in_place(|| self.nearside.terminate());
        let (_, wrong) = under_way.outlast(&mut self.nearside).await;
        deed.wrong.extend(wrong);
        self.nearside.again().await;
        self.load.resume();
    }

    /// Silent clients take every descriptor that is theirs; the load keeps to its connections meanwhile. What should not
    /// have been.
    pub(super) async fn crowd(&mut self) -> Vec<String> {
        let mut wrong = Vec::new();
        let door = self.nearside.door();
        self.load.only_kept(true);
        let crowd = crowd::press(&door, CROWD).await;
        self.load.more(RATE).await;
        if crowd::fresh(&door).await {
            wrong.push("a new client got in: the limit was not reached".to_owned());
        }
        drop(crowd);
        let freed = Instant::now();
        while !crowd::fresh(&door).await {
            if freed.elapsed() > BACK {
                wrong.push(format!("no new client got in for {} s", BACK.as_secs()));
                break;
            }
        }
        self.load.only_kept(false);
        self.load.more(RATE).await;
        wrong
    }

    async fn hold(&mut self, deed: &mut Deed) {
        let mut held = Held::open(&self.nearside.door(), IDLE).await;
        let requests = self.while_it_lasts();
        self.load.more(requests).await;
        deed.wrong.extend(held.used().await);
    }

    async fn silence(&mut self) {
        let requests = self.while_it_lasts();
        if let Some(names) = &self.names {
            names.silence(true);
            self.load.more(requests).await;
            names.silence(false);
        }
    }
}
