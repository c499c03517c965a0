import {
  LIST_LIMIT_MAX,
  type ListedKeys,
  type ListPage,
  type Storage,
} from "../../plugins/contract/storage.ts";

/**
 * The keys that begin with `prefix`, in order, `limit` at most, and whether more follow: as the store says where it says that
 * at all, else it is asked for one key more.
 */
export async function listPage(storage: Storage, prefix: string, page: ListPage): Promise<ListedKeys> {
  if (!storage.listPage) return await listOneMore(storage, prefix, page);
  const { keys, more } = await storage.listPage(prefix, page);
  return { keys: keys.slice(0, page.limit), more: more || keys.length > page.limit };
}

async function listOneMore(storage: Storage, prefix: string, page: ListPage): Promise<ListedKeys> {
  const { limit } = page;
  const keys = await storage.list(prefix, { ...page, limit: Math.min(limit + 1, LIST_LIMIT_MAX) });
  if (limit < LIST_LIMIT_MAX || keys.length < limit) {
    return { keys: keys.slice(0, limit), more: keys.length > limit };
  }
  // A store is asked for no more at once.
  const next = await storage.list(prefix, { after: keys.at(-1)!, limit: 1 });
  return { keys, more: next.length > 0 };
}
