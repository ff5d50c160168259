//! From mixed items to instructions.
//!
//! Entries get sort indexes that count down from the page's first one, by their order and nothing else. The top cursor
//! stands one above the first, the bottom cursor one below the last; the sort index that a cursor carries leaves room for
//! the cursors of the page it leads to. Order of instructions: clear cache, navigation, replacements, entries,
//! termination, pill, cover.

mod cursors;
mod feedback;
mod posts;
mod traits;

use crate::config::MixingConfig;
use crate::domain::stores::UserStore;
use crate::domain::{DeviceContext, PageKind, Platform, PostId, Query, SuggestKind, TimelineKind, UserId};
use crate::engine::Served;
use crate::mixing::{Item, PeopleKind, PromptForm, PromptText};
use crate::sealed::Key;

use super::entry::{
    AdItem, Alert, AlertLocation, Content, ConversationMetadata, Cover, Display, Entry, ItemContent, Module,
    ModuleItem, Prompt,
};
use super::response::{Direction, Instruction, Timeline};
use super::social_context::Icon;
use feedback::Actions;

/// What turns mixed items into a timeline.
pub(crate) struct Marshaller {
    /// Accounts.
    pub(crate) users: std::sync::Arc<dyn UserStore>,
    /// What cursors and actions are sealed with.
    pub(crate) key: Key,
    /// Constants.
    pub(crate) config: MixingConfig,
}

/// One page being written.
struct Page<'a> {
    marshaller: &'a Marshaller,
    query: &'a Query,
    actions: Actions<'a>,
    /// How many posts the response shows.
    size: usize,
}

/// How an entry's id begins.
fn namespace(item: &Item, timeline: TimelineKind) -> &'static str {
    match item {
        Item::Post(_) | Item::Edited { .. } => "post",
        Item::Conversation(_) if matches!(timeline, TimelineKind::List(_)) => "list-conversation",
        Item::Conversation(_) => "home-conversation",
        Item::Ad(_) => "promoted-post",
        Item::Preview(_) => "post-preview",
        Item::People(people) => people.kind.name(),
        Item::Prompt(prompt) => match prompt.form {
            PromptForm::Inline => "prompt",
            PromptForm::HalfCover => "half-cover",
            PromptForm::FullCover => "full-cover",
        },
        Item::Pill(_) => "show-alert",
    }
}

/// Whether it stands among the entries.
fn is_entry(item: &Item) -> bool {
    match item {
        Item::Edited { .. } | Item::Pill(_) => false,
        Item::Prompt(prompt) => prompt.form == PromptForm::Inline,
        _ => true,
    }
}

impl Marshaller {
    /// Writes the page that was served.
    pub(crate) fn timeline(&self, served: &Served<Query, Item>) -> Timeline {
        let query = &*served.query;
        let size = served.selected.iter().map(|item| item.posts().len()).sum();
        let mut page = Page { marshaller: self, query, actions: Actions::new(&self.key, query), size };
        let initial = query.request.sort_from.unwrap_or_else(|| first_index(query));
        let mut instructions = page.refresh(&served.selected);
        let edits = served.selected.iter().filter_map(|item| page.replacement(item, initial));
        let edits: Vec<_> = edits.take(self.config.edits.max_replacements).collect();
        instructions.extend(edits);

        let shown: Vec<&Item> = served.selected.iter().filter(|item| is_entry(item)).collect();
        let mut entries = Vec::with_capacity(shown.len() + 2);
        for (position, item) in shown.iter().enumerate() {
            entries.extend(page.entry(item, position, initial - position as i64));
        }
        let cursors = cursors::of(self, served, initial, entries.len());
        let ends = cursors.is_end;
        entries.splice(0..0, cursors.top);
        entries.extend(cursors.bottom);
        instructions.push(Instruction::AddEntries { entries });
        if ends {
            instructions.push(Instruction::TerminateTimeline { direction: Direction::Bottom });
        }
        instructions
            .extend(served.selected.iter().find_map(|item| page.alert(item, &served.selected, initial)));
        instructions.extend(served.selected.iter().find_map(|item| page.cover(item)));
        let is_fallback = query.request.timeline == TimelineKind::ForYou
            && served
                .selected
                .iter()
                .flat_map(Item::posts)
                .any(|shown| shown.candidate.suggest == SuggestKind::Chronological);
        Timeline {
            id: timeline_id(query.request.timeline),
            viewer: query.viewer,
            request_id: query.request.request_id.to_string(),
            instructions,
            feedback_actions: page.actions.finish(),
            is_fallback,
            missing: Vec::new(),
        }
    }
}

/// The sort index of a first page's first entry: the first snowflake id of the moment.
fn first_index(query: &Query) -> i64 {
    i64::try_from(PostId::at(query.now).0).unwrap_or(i64::MAX)
}

/// Names a timeline.
fn timeline_id(timeline: TimelineKind) -> String {
    match timeline {
        TimelineKind::List(list) => format!("list-{list}-timeline"),
        other => format!("{}-timeline", other.name()),
    }
}

impl Page<'_> {
    /// What a client does before it looks at the entries: where its reader asked for a fresh start, For You begins anew
    /// at the top.
    fn refresh(&self, items: &[Item]) -> Vec<Instruction> {
        let request = &self.query.request;
        let config = &self.marshaller.config;
        let posts = items.iter().filter(|item| !item.posts().is_empty()).count();
        let mut instructions = Vec::new();
        if request.timeline != TimelineKind::ForYou || request.page() == PageKind::Older {
            return instructions;
        }
        let has_pinned = items.iter().flat_map(Item::posts).any(|shown| shown.is_pinned);
        let asks = config.client.clear_cache_contexts.contains(&request.context);
        if (asks || (has_pinned && config.client.clear_cache_for_push))
            && posts >= config.client.clear_cache_min_posts
        {
            instructions.push(Instruction::ClearCache { retain_viewport: true });
        }
        let starts_at_top = match request.platform {
            Platform::Android => request.context == DeviceContext::Launch,
            _ => matches!(
                request.context,
                DeviceContext::Launch | DeviceContext::Navigate | DeviceContext::ManualRefresh
            ),
        };
        if config.client.navigation && starts_at_top && request.cursor.is_none() {
            instructions.push(Instruction::Navigation { start_at_top: true });
        }
        instructions
    }

    /// An entry, or nothing for what is none.
    fn entry(&mut self, item: &Item, position: usize, sort_index: i64) -> Option<Entry> {
        let namespace = namespace(item, self.query.request.timeline);
        let (id, content) = match item {
            Item::Post(shown) => {
                (shown.candidate.post_id.to_string(), Content::Post(Box::new(self.post(shown, position))))
            }
            Item::Preview(shown) => {
                let mut post = self.post(shown, position);
                posts::cut_to_preview(&mut post.post, self.marshaller.config.previews.shown_chars);
                (shown.candidate.post_id.to_string(), Content::Preview(Box::new(post)))
            }
            Item::Ad(slot) => {
                let post = self.post(&slot.shown, position);
                let advertiser = self.person(slot.ad.advertiser);
                let impression_id = format!("{:016x}", slot.impression);
                let id = format!("{}-{impression_id}", slot.shown.candidate.post_id);
                (
                    id,
                    Content::Ad(Box::new(AdItem { post, impression_id, disclosure: "Promoted", advertiser })),
                )
            }
            Item::Conversation(thread) => {
                let first = thread.posts.first()?.candidate.post_id;
                let module = self.conversation(thread, namespace, first, position);
                (first.to_string(), Content::Module(Box::new(module)))
            }
            Item::People(people) => {
                let id = sort_index.to_string();
                let module = self.people(people, &format!("{namespace}-{id}"), position);
                (id, Content::Module(Box::new(module)))
            }
            Item::Prompt(prompt) => (prompt.id.clone(), Content::Prompt(self.prompt(prompt, position))),
            Item::Edited { .. } | Item::Pill(_) => return None,
        };
        Some(Entry { entry_id: format!("{namespace}-{id}"), sort_index, content })
    }

    fn conversation(
        &mut self,
        thread: &crate::mixing::Thread,
        namespace: &str,
        first: PostId,
        position: usize,
    ) -> Module {
        let items = thread.posts.iter().map(|shown| ModuleItem {
            entry_id: format!("{namespace}-{first}-post-{}", shown.candidate.post_id),
            content: ItemContent::Post(Box::new(self.post(shown, position))),
        });
        let items: Vec<_> = items.collect();
        let focal = thread.posts.last().map(|shown| shown.candidate.post_id);
        let client_event = match items.first().map(|item| &item.content) {
            Some(ItemContent::Post(post)) => post.client_event.clone(),
            _ => Default::default(),
        };
        Module {
            display: Display::VerticalConversation,
            header: None,
            items,
            conversation: Some(ConversationMetadata {
                all_post_ids: thread.above.iter().copied().chain(focal).collect(),
                enable_deduplication: true,
            }),
            feedback: Vec::new(),
            client_event,
        }
    }

    fn people(&mut self, people: &crate::mixing::People, id: &str, position: usize) -> Module {
        let component = match people.kind {
            PeopleKind::Follow => "who_to_follow",
            PeopleKind::Subscribe => "who_to_subscribe",
        };
        let event = |element| super::ClientEvent { component, element, position, traits: Vec::new() };
        let items = people.people.iter().map(|(user, via)| ModuleItem {
            entry_id: format!("{id}-user-{}", user.id),
            content: ItemContent::User {
                user: posts::person_of(self.query, user),
                social_context: self.followed_by(via),
                client_event: event("user"),
            },
        });
        let items = items.collect();
        let feedback = vec![self.actions.dismiss(people.kind.name())];
        Module {
            display: Display::Vertical,
            header: Some(people.kind.header()),
            items,
            conversation: None,
            feedback,
            client_event: event("module"),
        }
    }

    fn prompt(&mut self, prompt: &PromptText, position: usize) -> Prompt {
        Prompt {
            id: prompt.id.clone(),
            title: prompt.title.clone(),
            body: prompt.body.clone(),
            feedback: vec![self.actions.dismiss(&format!("prompt-{}", prompt.id))],
            client_event: super::ClientEvent {
                component: "prompt",
                element: "message",
                position,
                traits: Vec::new(),
            },
        }
    }

    fn replacement(&mut self, item: &Item, sort_index: i64) -> Option<Instruction> {
        let Item::Edited { replaces, shown } = item else { return None };
        let content = Content::Post(Box::new(self.post(shown, 0)));
        let entry_id = format!("post-{}", shown.candidate.post_id);
        let entry = Box::new(Entry { entry_id, sort_index, content });
        Some(Instruction::ReplaceEntry { entry_id_to_replace: format!("post-{replaces}"), entry })
    }

    /// A pill, with the pictures of the first authors of the page: of conversations their last post's.
    fn alert(&mut self, item: &Item, items: &[Item], sort_index: i64) -> Option<Instruction> {
        let Item::Pill(pill) = item else { return None };
        let wanted = self.marshaller.config.pill.avatars;
        let mut authors: Vec<UserId> = Vec::with_capacity(wanted);
        for candidate in items.iter().filter_map(Item::focal).map(|shown| &shown.candidate) {
            let author = candidate.author_id;
            let is_new = !candidate.is_repost() && author != self.query.viewer && !authors.contains(&author);
            if is_new && authors.len() < wanted {
                authors.push(author);
            }
        }
        let with_faces = wanted > 0 && authors.len() == wanted;
        let users = if with_faces { authors.as_slice() } else { &[] };
        let alert = Alert {
            entry_id: format!("show-alert-{sort_index}"),
            trigger_delay_ms: pill.delay_ms,
            display_duration_ms: -1,
            location: AlertLocation::Top,
            icon: Icon::UpArrow,
            text: if with_faces { "posted" } else { "See new posts" },
            users: users.iter().map(|&user| self.person(user)).collect(),
        };
        Some(Instruction::ShowAlert { alert })
    }

    fn cover(&mut self, item: &Item) -> Option<Instruction> {
        let Item::Prompt(prompt) = item else { return None };
        let is_full = match prompt.form {
            PromptForm::Inline => return None,
            PromptForm::HalfCover => false,
            PromptForm::FullCover => true,
        };
        let namespace = namespace(item, self.query.request.timeline);
        let entry_id = format!("{namespace}-{}", prompt.id);
        let cover = Cover { entry_id, is_full, prompt: self.prompt(prompt, 0) };
        Some(Instruction::ShowCover { cover })
    }
}
