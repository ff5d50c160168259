//! From loaded rows to the stores' memory.

use std::sync::Arc;

use super::Base;
use crate::domain::Clock;
use crate::stores::adjacency::{Adjacency, Csr};
use crate::stores::embeddings::Embeddings;
use crate::stores::memory::{Edges, Memory, StoreOptions};
use crate::stores::retrieval::members;
use crate::stores::user_index::UserIndex;

impl Base {
    /// Builds the stores' memory.
    pub(in crate::stores) fn into_memory(mut self, clock: Arc<dyn Clock>, options: StoreOptions) -> Memory {
        let index = self.index.take().unwrap_or_else(|| UserIndex::new(std::mem::take(&mut self.ids)));
        let nodes = index.len();
        self.index = Some(index);
        self.count();
        self.engagements.set_max_edges(options.graph_edges);
        let relations = self.relations.map(|mut edges| {
            edges.sort_unstable();
            edges.dedup();
            let targets = Adjacency::new(nodes, &edges);
            edges.iter_mut().for_each(|edge| *edge = (edge.1, edge.0));
            Edges { targets, sources: Adjacency::new(nodes, &edges) }
        });
        self.ties.sort_by_key(|(viewer, tie)| (*viewer, tie.to));
        self.ties.dedup_by_key(|(viewer, tie)| (*viewer, tie.to));
        self.post_communities.sort_by_key(|(post, _)| *post);
        let mut post_ids: Vec<u64> = self.post_communities.iter().map(|(post, _)| *post).collect();
        post_ids.dedup();
        let mut position = 0;
        let by_position: Vec<_> = std::mem::take(&mut self.post_communities)
            .into_iter()
            .map(|(post, entry)| {
                while post_ids[position] != post {
                    position += 1;
                }
                (position as u32, entry)
            })
            .collect();
        let embeddings = Embeddings {
            width: self.width.unwrap_or_default(),
            dense: self.dense,
            users: Csr::new(nodes, &self.communities),
            posts: Csr::new(post_ids.len(), &by_position),
            post_ids,
            ..Embeddings::default()
        };
        Memory {
            clock,
            options,
            relations,
            ties: Csr::new(nodes, &self.ties),
            index: self.index.unwrap_or_default(),
            accounts: self.accounts,
            posts: self.posts,
            versions: Default::default(),
            engagements: self.engagements,
            aggregates: self.aggregates,
            community_posts: self.community_posts,
            popular_videos: self.popular_videos,
            community_people: members(&self.communities),
            embeddings,
            lists: self.lists,
            feedback: Default::default(),
            history: Default::default(),
        }
    }
}
