/** What a handle looks like at a glance: letters that pass for each other are one, what is overlooked is gone. */
export function skeleton(handle: string): string {
  return handle
    .toLowerCase()
    .normalize('NFKD')
    .replace(/\p{M}/gu, '')
    .replace(/[._-]/g, '')
    .replace(/(official|officiel|real|the|fan|page)$/, '')
    .replace(/0/g, 'o')
    .replace(/[1i|!]/g, 'l')
    .replace(/5/g, 's')
    .replace(/3/g, 'e')
    .replace(/4/g, 'a')
    .replace(/rn/g, 'm')
    .replace(/vv/g, 'w')
    .replace(/(.)\1+/g, '$1');
}
