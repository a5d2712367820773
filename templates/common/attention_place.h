// Where in an attention problem a hook is called.
#pragma once

/// All numbers are those within the request. What a hook's value does not belong to is -1: a key has no
/// query.
struct AttentionPlace {
  int request;
  int query;
  int key;
  int query_head;
  int kv_head;
  int query_length;
  int kv_length;
};
